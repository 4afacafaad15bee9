// Grants through Domain 0's kernel.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;
using Xenolith.Toolstack.Grants;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Interop;

/// <summary>/dev/xen/gntdev (Linux, include/uapi/xen/gntdev.h): references are named to the device, which gives an offset to map at.</summary>
internal sealed unsafe class GrantDevice : IGrants
{
    private const string Path = "/dev/xen/gntdev";
    private const nuint MapRequest = 0x0018_4700;
    private const nuint UnmapRequest = 0x0010_4701;
    private const int HeaderBytes = 16;
    private const int ReferenceBytes = 8;

    private readonly SafeFileHandle _file;

    private GrantDevice(SafeFileHandle file) => _file = file;

    internal static GrantDevice Open()
    {
        SafeFileHandle file = LibC.Open(Path, LibC.ReadWrite);
        return file.IsInvalid
            ? throw new HypervisorUnavailableException(Path, LibC.LastError(), "Run it as root in Domain 0, with the kernel module xen-gntdev (modprobe xen-gntdev).")
            : new GrantDevice(file);
    }

    public ForeignMapping Map(ushort domain, ReadOnlySpan<uint> references, bool isWritable)
    {
        ArgumentOutOfRangeException.ThrowIfZero(references.Length);
        byte[] request = new byte[HeaderBytes + (references.Length * ReferenceBytes)];
        BinaryPrimitives.WriteInt32LittleEndian(request, references.Length);
        for (int i = 0; i < references.Length; i++)
        {
            Span<byte> entry = request.AsSpan(HeaderBytes + (i * ReferenceBytes));
            BinaryPrimitives.WriteUInt32LittleEndian(entry, domain);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], references[i]);
        }

        fixed (byte* argument = request)
        {
            if (LibC.Control(_file, MapRequest, argument) == -1)
            {
                throw XenException.For("naming of grants", LibC.LastError(), domain);
            }
        }

        ulong index = BinaryPrimitives.ReadUInt64LittleEndian(request.AsSpan(8));
        byte* at = LibC.Map(_file, (nuint)references.Length * ForeignMapping.PageBytes, LibC.ProtectRead | (isWritable ? LibC.ProtectWrite : 0), (long)index);
        if (at is not null)
        {
            return new Mapping(this, at, references.Length, index);
        }

        XenError error = LibC.LastError();
        Forget(index, references.Length);
        throw XenException.For("mapping of grants", error, domain, "the domain does not grant these pages", "Wait until its driver offers them.");
    }

    public void Dispose() => _file.Dispose();

    private void Forget(ulong index, int count)
    {
        UnmapArgument argument = new() { Index = index, Count = (uint)count };
        LibC.Control(_file, UnmapRequest, &argument);
    }

    private sealed class Mapping(GrantDevice device, byte* start, int pages, ulong index) : ForeignMapping
    {
        private byte* _start = start;

        public override int PageCount => pages;

        public override Span<byte> Page(int index)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)pages, nameof(index));
            ObjectDisposedException.ThrowIf(_start is null, this);
            return new Span<byte>(_start + ((nint)index * PageBytes), PageBytes);
        }

        protected override void Unmap()
        {
            if (_start is not null)
            {
                LibC.Unmap(_start, (nuint)pages * PageBytes);
                _start = null;
                device.Forget(index, pages);
            }
        }
    }

    /// <summary>struct ioctl_gntdev_unmap_grant_ref.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct UnmapArgument
    {
        internal ulong Index;
        internal uint Count;
        internal uint Padding;
    }
}
