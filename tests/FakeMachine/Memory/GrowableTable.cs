// Twin of Memory/GrowableTable.cs: the entries are memory of this process; frames are only counted.
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>A table that grows by frames, with the checks of the real one.</summary>
public unsafe struct GrowableTable<T>
    where T : unmanaged
{
    private static T* s_storage;
    private static int s_capacity;
    private static int s_used;

    private int _count;
    private int _limit;
    private ulong _frames;

    public readonly int Count => _count;

    public static GrowableTable<T> Reserve(int limit)
    {
        if (limit > s_capacity)
        {
            NativeMemory.Free(s_storage);
            s_storage = (T*)NativeMemory.AllocZeroed((nuint)limit, (nuint)sizeof(T));
            s_capacity = limit;
        }
        else
        {
            NativeMemory.Clear(s_storage, (nuint)s_used * (nuint)sizeof(T));
        }

        s_used = 0;
        return new GrowableTable<T> { _limit = limit };
    }

    public void Add(Mfn frame)
    {
        Fatal.Assert(_count < _limit, "a table of the hypervisor grows beyond its limit"u8);
        PhysicalMemory.Clear(frame);
        _frames++;
        _count = (int)Math.Min(_frames * 4096 / (ulong)sizeof(T), (ulong)_limit);
        s_used = _count;
    }

    public readonly ref T this[int index]
    {
        get
        {
            if ((uint)index >= (uint)_count)
            {
                Fatal.TableIndex();
            }

            return ref s_storage[index];
        }
    }
}
