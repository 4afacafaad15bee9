// Calls of the C library on plain file descriptors: reading and writing with error numbers, waiting for several, waking a waiter.

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Xenolith.Toolstack.Interop;

/// <summary>Events of poll(2).</summary>
[Flags]
internal enum PollEvents : short
{
    None = 0,
    Input = 1,
    Output = 4,
    Error = 8,
    HangUp = 16,
}

/// <summary>One descriptor that poll(2) waits for (struct pollfd).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry(int descriptor, PollEvents requested)
{
    public int Descriptor = descriptor;
    public PollEvents Requested = requested;
    public PollEvents Returned;
}

/// <summary>Plain descriptors. Results below 0 are negative error numbers; interrupted calls are made again.</summary>
internal static partial class Descriptor
{
    public const int TryAgain = 11;
    private const int Interrupted = 4;
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;
    private const int ReadWrite = 2;

    /// <summary>Opens for reading and writing; the result is a descriptor.</summary>
    public static int Open(string path) => Result(OpenCore(path, ReadWrite | CloseOnExec));

    /// <summary>Makes a counter that a waiter can be woken with.</summary>
    public static SafeFileHandle Event()
    {
        int descriptor = Result(EventCore(0, CloseOnExec | NonBlocking));
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw new IOException($"eventfd failed with error {-descriptor}");
    }

    public static int Read(SafeFileHandle handle, Span<byte> buffer)
    {
        int result;
        do
        {
            result = Result((int)ReadCore(handle, ref MemoryMarshal.GetReference(buffer), buffer.Length));
        }
        while (result == -Interrupted);
        return result;
    }

    public static int Write(SafeFileHandle handle, ReadOnlySpan<byte> data)
    {
        int result;
        do
        {
            result = Result((int)WriteCore(handle, in MemoryMarshal.GetReference(data), data.Length));
        }
        while (result == -Interrupted);
        return result;
    }

    /// <summary>Waits until one entry is ready or the milliseconds are over (below 0: for ever); the result counts ready entries.</summary>
    public static int Poll(Span<PollEntry> entries, int milliseconds)
    {
        int result = Result(PollCore(ref MemoryMarshal.GetReference(entries), (nuint)entries.Length, milliseconds));
        return result == -Interrupted ? 0 : result;
    }

    private static int Result(int value) => value >= 0 ? value : -Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenCore(string path, int flags);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventCore(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadCore(SafeFileHandle descriptor, ref byte buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteCore(SafeFileHandle descriptor, in byte buffer, nint length);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int PollCore(ref PollEntry entries, nuint count, int milliseconds);
}
