// A fixed table of structs in frames of the hypervisor, bounds checked.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>A table of <typeparamref name="T"/> in physically contiguous frames that the hypervisor owns for as long as the table lives.</summary>
public readonly unsafe struct Table<T>
    where T : unmanaged
{
    private readonly T* _first;
    private readonly int _count;

    private Table(T* first, int count)
    {
        _first = first;
        _count = count;
    }

    /// <summary>How many entries the table has; 0 for a default value.</summary>
    public int Count => _count;

    /// <summary>Frames that a table of <paramref name="count"/> entries takes.</summary>
    public static ulong FramesFor(int count) => (((ulong)count * (ulong)sizeof(T)) + 4095) / 4096;

    /// <summary>Makes a table over RAM frames from <paramref name="first"/> on. The memory is not cleared.</summary>
    public static Table<T> Over(Mfn first, int count)
    {
        // SAFETY: DirectMap panics unless every frame of the range is RAM below the end of the direct map.
        return new Table<T>((T*)PhysicalMemory.DirectMap(first, FramesFor(count)), count);
    }

    public ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if ((uint)index >= (uint)_count)
            {
                Fatal.TableIndex();
            }

            // SAFETY: index is below the count that Over checked against the direct map.
            return ref _first[index];
        }
    }

    /// <summary>As the indexer, for an index already known to be below 2^31 as an unsigned number.</summary>
    public ref T this[ulong index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if (index >= (ulong)_count)
            {
                Fatal.TableIndex();
            }

            // SAFETY: as above.
            return ref _first[index];
        }
    }
}
