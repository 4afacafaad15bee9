// The xenstore ring of Domain 0's own kernel, as memory.
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Interop;

/// <summary>/proc/xen/xsd_kva (Linux, drivers/xen/xenfs): one page, which stays the kernel's whether or not it is mapped.</summary>
internal sealed unsafe class KernelRingPage : ForeignMapping
{
    private const string Path = "/proc/xen/xsd_kva";

    private byte* _start;

    private KernelRingPage(byte* start) => _start = start;

    public override int PageCount => 1;

    /// <summary>Maps it.</summary>
    /// <exception cref="IOException">This kernel has none, or has it and does not give it.</exception>
    internal static KernelRingPage Open()
    {
        using SafeFileHandle file = LibC.Open(Path, LibC.ReadWrite);
        byte* at = file.IsInvalid ? null : LibC.Map(file, PageBytes, LibC.ProtectRead | LibC.ProtectWrite, 0);
        return at is not null ? new KernelRingPage(at) : throw new IOException($"{Path} cannot be mapped (error {(int)LibC.LastError()}): mount xenfs at /proc/xen, in Domain 0");
    }

    public override Span<byte> Page(int index)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        ArgumentOutOfRangeException.ThrowIfNotEqual(index, 0);
        return new Span<byte>(_start, PageBytes);
    }

    protected override void Unmap()
    {
        if (_start is not null)
        {
            LibC.Unmap(_start, PageBytes);
            _start = null;
        }
    }
}
