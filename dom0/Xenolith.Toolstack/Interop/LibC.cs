// The C library's calls that the Xen devices need.
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;

namespace Xenolith.Toolstack.Interop;

/// <summary>Numbers are those of Linux on x86-64. Errors: -1 and errno.</summary>
internal static unsafe partial class LibC
{
    internal const int ReadOnly = 0;
    internal const int ReadWrite = 2;
    internal const int NonBlocking = 0x800;
    internal const int CloseOnExec = 0x80000;
    internal const int ProtectRead = 1;
    internal const int ProtectWrite = 2;
    internal const int MapShared = 1;
    internal const short PollIn = 1;

    private static readonly nint s_failed = -1;

    /// <summary>Opens a file; it is closed in programs that this process starts.</summary>
    internal static SafeFileHandle Open(string path, int flags) => new(OpenRaw(path, flags | CloseOnExec, 0), true);

    /// <summary>Maps a part of a file; null when it cannot be.</summary>
    internal static byte* Map(SafeFileHandle file, nuint bytes, int protection, long offset)
    {
        nint at = MapRaw(0, bytes, protection, MapShared, file, offset);
        return at == s_failed ? null : (byte*)at;
    }

    internal static XenError LastError() => (XenError)Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Control(SafeFileHandle file, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    internal static partial int Unmap(void* at, nuint bytes);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    internal static partial nint Read(SafeFileHandle file, void* to, nuint bytes);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    internal static partial nint Write(SafeFileHandle file, void* from, nuint bytes);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    internal static partial int Poll(PollEntry* entries, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    internal static partial int EventFile(uint value, int flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenRaw(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MapRaw(nint at, nuint bytes, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "fstat", SetLastError = true)]
    internal static partial int Status(SafeFileHandle file, FileStatus* status);

    /// <summary>struct stat.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 144)]
    internal struct FileStatus
    {
        [FieldOffset(0)] internal ulong Device;
        [FieldOffset(8)] internal ulong Inode;
        [FieldOffset(24)] internal uint Mode;
        [FieldOffset(40)] internal ulong OwnDevice;
        [FieldOffset(48)] internal long Bytes;
        [FieldOffset(88)] internal long ModifiedSeconds;
        [FieldOffset(96)] internal long ModifiedNanoseconds;
        [FieldOffset(104)] internal long ChangedSeconds;
        [FieldOffset(112)] internal long ChangedNanoseconds;
    }

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct PollEntry
    {
        internal int File;
        internal short Wanted;
        internal short Seen;
    }
}
