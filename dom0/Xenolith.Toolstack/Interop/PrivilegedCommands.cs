// The hypervisor through Domain 0's kernel.
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Interop;

/// <summary>/dev/xen/privcmd for calls and mappings, /dev/xen/hypercall for their arguments (Linux, include/uapi/xen/privcmd.h).</summary>
internal sealed unsafe class PrivilegedCommands : IHypervisor
{
    private const string CommandPath = "/dev/xen/privcmd";
    private const string BufferPath = "/dev/xen/hypercall";
    private const nuint HypercallRequest = 0x0030_5000;
    private const nuint MapBatchRequest = 0x0020_5004;
    private const nuint MapResourceRequest = 0x0020_5007;
    private const string ModuleAdvice = "Run it as root in Domain 0, with the kernel module xen-privcmd (modprobe xen-privcmd).";

    private readonly SafeFileHandle _commands;
    private readonly SafeFileHandle _buffers;
    private readonly HypercallArena _arena;

    private PrivilegedCommands(SafeFileHandle commands, SafeFileHandle buffers)
    {
        _commands = commands;
        _buffers = buffers;
        _arena = new HypercallArena(buffers);
    }

    internal static PrivilegedCommands Open()
    {
        SafeFileHandle commands = OpenDevice(CommandPath);
        try
        {
            return new PrivilegedCommands(commands, OpenDevice(BufferPath));
        }
        catch
        {
            commands.Dispose();
            throw;
        }
    }

    public HypercallBuffer Rent(int bytes) => _arena.Rent(bytes);

    public long Call(HypercallNumber number, ulong argument0 = 0, ulong argument1 = 0, ulong argument2 = 0, ulong argument3 = 0, ulong argument4 = 0)
    {
        CallRequest request = new() { Number = number, Argument0 = argument0, Argument1 = argument1, Argument2 = argument2, Argument3 = argument3, Argument4 = argument4 };
        int result = LibC.Control(_commands, HypercallRequest, &request);
        return result == -1 ? -(long)LibC.LastError() : result;
    }

    public ForeignMapping Map(ushort domain, ReadOnlySpan<ulong> frames, bool isWritable)
    {
        const string Operation = "mapping of memory";
        ArgumentOutOfRangeException.ThrowIfZero(frames.Length);
        Mapping mapping = Reserve(frames.Length, isWritable, Operation, domain);
        int[] errors = new int[frames.Length];
        int result;
        fixed (ulong* first = frames)
        fixed (int* firstError = errors)
        {
            MapBatch batch = new() { Count = (uint)frames.Length, Domain = domain, Address = (ulong)mapping.Start, Frames = first, Errors = firstError };
            result = LibC.Control(_commands, MapBatchRequest, &batch);
        }

        if (result == -1)
        {
            XenError error = LibC.LastError();
            mapping.Dispose();
            throw XenException.For(Operation, error, domain);
        }

        int bad = errors.AsSpan().IndexOfAnyExcept(0);
        if (bad < 0)
        {
            return mapping;
        }

        mapping.Dispose();
        XenError reason = (XenError)(-errors[bad]);
        throw XenException.For($"mapping of frame 0x{frames[bad]:x}", reason, domain);
    }

    public ForeignMapping MapResource(ushort domain, ushort type, uint id, uint first, int count)
    {
        const string Operation = "mapping of a resource";
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Mapping mapping = Reserve(count, true, Operation, domain);
        ResourceRequest request = new() { Domain = domain, Type = type, Id = id, First = first, Count = (ulong)count, Address = (ulong)mapping.Start };
        if (LibC.Control(_commands, MapResourceRequest, &request) == 0)
        {
            return mapping;
        }

        XenError error = LibC.LastError();
        mapping.Dispose();
        throw XenException.For(Operation, error, domain);
    }

    public void Dispose()
    {
        _arena.Dispose();
        _buffers.Dispose();
        _commands.Dispose();
    }

    private static SafeFileHandle OpenDevice(string path)
    {
        SafeFileHandle file = LibC.Open(path, LibC.ReadWrite);
        return file.IsInvalid ? throw new HypervisorUnavailableException(path, LibC.LastError(), ModuleAdvice) : file;
    }

    private Mapping Reserve(int pages, bool isWritable, string operation, ushort domain)
    {
        nuint bytes = (nuint)pages * ForeignMapping.PageBytes;
        byte* at = LibC.Map(_commands, bytes, LibC.ProtectRead | (isWritable ? LibC.ProtectWrite : 0), 0);
        return at is not null ? new Mapping(at, pages) : throw XenException.For(operation, LibC.LastError(), domain);
    }

    private sealed class Mapping(byte* start, int pages) : ForeignMapping
    {
        private byte* _start = start;

        internal byte* Start => _start;

        public override int PageCount => pages;

        public override Span<byte> Page(int index)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)pages, nameof(index));
            ObjectDisposedException.ThrowIf(_start is null, this);
            return new Span<byte>(_start + ((nint)index * PageBytes), PageBytes);
        }

        public override Span<byte> Piece(long offset)
        {
            long bytes = ((long)pages * PageBytes) - offset;
            ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)offset, (ulong)pages * PageBytes, nameof(offset));
            ObjectDisposedException.ThrowIf(_start is null, this);
            return new Span<byte>(_start + offset, (int)Math.Min(bytes, 1 << 30));
        }

        protected override void Unmap()
        {
            if (_start is not null)
            {
                LibC.Unmap(_start, (nuint)pages * PageBytes);
                _start = null;
            }
        }
    }

    /// <summary>struct privcmd_hypercall.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct CallRequest
    {
        internal HypercallNumber Number;
        internal ulong Argument0;
        internal ulong Argument1;
        internal ulong Argument2;
        internal ulong Argument3;
        internal ulong Argument4;
    }

    /// <summary>struct privcmd_mmapbatch_v2.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MapBatch
    {
        internal uint Count;
        internal ushort Domain;
        internal ulong Address;
        internal ulong* Frames;
        internal int* Errors;
    }

    /// <summary>struct privcmd_mmap_resource.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ResourceRequest
    {
        internal ushort Domain;
        internal uint Type;
        internal uint Id;
        internal uint First;
        internal ulong Count;
        internal ulong Address;
    }
}
