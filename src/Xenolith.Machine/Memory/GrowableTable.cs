// A table of structs that gets its memory frame by frame, as entries are needed.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>
/// As <see cref="Table{T}"/>, at addresses of its own: entries up to <see cref="Count"/> have memory, and <see cref="Add"/> gives it to
/// more. It never shrinks, so a reference to an entry stays good.
/// </summary>
public unsafe struct GrowableTable<T>
    where T : unmanaged
{
    private T* _first;
    private int _count;
    private int _limit;
    private ulong _frames;
    private Mfn _leaves;

    /// <summary>How many entries have memory.</summary>
    public readonly int Count => _count;

    /// <summary>Keeps addresses, and page tables for them, for that many entries; at boot.</summary>
    public static GrowableTable<T> Reserve(int limit)
    {
        ulong start = HypervisorAddressSpace.ReserveTableRange(Table<T>.FramesFor(limit), out Mfn leaves);

        // SAFETY: nothing else gets these addresses; none of them is used before a frame is there.
        return new GrowableTable<T> { _first = (T*)start, _limit = limit, _leaves = leaves };
    }

    /// <summary>Gives the table one more frame of the hypervisor's, for good. Panics when it has memory for all its entries.</summary>
    public void Add(Mfn frame)
    {
        Fatal.Assert(_count < _limit, "a table of the hypervisor grows beyond its limit"u8);
        PhysicalMemory.Clear(frame);
        HypervisorAddressSpace.SetTablePage(_leaves, _frames, frame);
        _frames++;
        _count = (int)Math.Min(_frames * 4096 / (ulong)sizeof(T), (ulong)_limit);
    }

    public readonly ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if ((uint)index >= (uint)_count)
            {
                Fatal.TableIndex();
            }

            // SAFETY: all of an entry below the count lies in frames that Add has mapped.
            return ref _first[index];
        }
    }
}
