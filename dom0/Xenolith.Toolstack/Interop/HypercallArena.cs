// Pages of /dev/xen/hypercall, kept for reuse.
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Interop;

/// <summary>
/// The hypervisor cannot take a page fault of this process, so its arguments lie in pages of the kernel's that never move. Most calls need
/// one page; those stay mapped, as do a few of the larger pieces.
/// </summary>
internal sealed unsafe class HypercallArena(SafeFileHandle file) : IDisposable
{
    private const int PageBytes = 4096;
    private const int PagesAtOnce = 16;
    private const long KeptBytes = 4 << 20;

    private readonly Lock _lock = new();
    private readonly Stack<nint> _pages = new();
    private readonly Dictionary<int, Stack<nint>> _pieces = [];
    private readonly List<(nint At, int Bytes)> _mappings = [];
    private long _keptBytes;
    private bool _isDisposed;

    internal HypercallBuffer Rent(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        int size = bytes <= PageBytes ? PageBytes : checked((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)bytes));
        nint at;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            at = size == PageBytes ? TakePage() : TakePiece(size);
        }

        new Span<byte>((void*)at, bytes).Clear();
        return new Buffer(this, at, bytes, size);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            foreach ((nint at, int bytes) in _mappings)
            {
                LibC.Unmap((void*)at, (nuint)bytes);
            }

            _mappings.Clear();
            _pages.Clear();
            foreach ((int size, Stack<nint> pieces) in _pieces)
            {
                while (pieces.TryPop(out nint at))
                {
                    LibC.Unmap((void*)at, (nuint)size);
                }
            }
        }
    }

    private nint TakePage()
    {
        if (_pages.Count == 0)
        {
            nint first = Map(PagesAtOnce * PageBytes);
            _mappings.Add((first, PagesAtOnce * PageBytes));
            for (int i = PagesAtOnce - 1; i >= 0; i--)
            {
                _pages.Push(first + (i * PageBytes));
            }
        }

        return _pages.Pop();
    }

    private nint TakePiece(int size)
    {
        if (_pieces.TryGetValue(size, out Stack<nint>? kept) && kept.TryPop(out nint at))
        {
            _keptBytes -= size;
            return at;
        }

        return Map(size);
    }

    private nint Map(int bytes)
    {
        byte* at = LibC.Map(file, (nuint)bytes, LibC.ProtectRead | LibC.ProtectWrite, 0);
        return at is not null ? (nint)at : throw XenException.For("mapping of /dev/xen/hypercall", LibC.LastError());
    }

    private void Return(nint at, int size)
    {
        lock (_lock)
        {
            if (size == PageBytes)
            {
                // After the arena's end its pages are gone already.
                if (!_isDisposed)
                {
                    _pages.Push(at);
                }
            }
            else if (_isDisposed || _keptBytes + size > KeptBytes)
            {
                LibC.Unmap((void*)at, (nuint)size);
            }
            else
            {
                if (!_pieces.TryGetValue(size, out Stack<nint>? kept))
                {
                    _pieces[size] = kept = new Stack<nint>();
                }

                kept.Push(at);
                _keptBytes += size;
            }
        }
    }

    private sealed class Buffer(HypercallArena arena, nint at, int bytes, int size) : HypercallBuffer
    {
        private nint _at = at;

        public override ulong Address => (ulong)_at;

        public override Span<byte> Bytes
        {
            get
            {
                ObjectDisposedException.ThrowIf(_at == 0, this);
                return new Span<byte>((void*)_at, bytes);
            }
        }

        protected override void Release()
        {
            nint taken = Interlocked.Exchange(ref _at, 0);
            if (taken != 0)
            {
                arena.Return(taken, size);
            }
        }
    }
}
