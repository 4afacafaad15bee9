// Interlocked of the hosted build: each access is a moment for another processor to act before.
using System.Threading;

namespace Xenolith.Machine;

/// <summary>Stands for System.Threading.Interlocked in the sources of the hypervisor.</summary>
public static class ControlledInterlocked
{
    public static int CompareExchange(ref int location, int value, int comparand)
    {
        Interleaving.Access();
        int seen = Interlocked.CompareExchange(ref location, value, comparand);
        NoteIf(seen == comparand);
        return seen;
    }

    public static ulong CompareExchange(ref ulong location, ulong value, ulong comparand)
    {
        Interleaving.Access();
        ulong seen = Interlocked.CompareExchange(ref location, value, comparand);
        NoteIf(seen == comparand);
        return seen;
    }

    public static ulong Exchange(ref ulong location, ulong value)
    {
        Interleaving.Access();
        Interleaving.Changed();
        return Interlocked.Exchange(ref location, value);
    }

    public static ulong Or(ref ulong location, ulong value)
    {
        Interleaving.Access();
        Interleaving.Changed();
        return Interlocked.Or(ref location, value);
    }

    public static ulong And(ref ulong location, ulong value)
    {
        Interleaving.Access();
        Interleaving.Changed();
        return Interlocked.And(ref location, value);
    }

    public static void MemoryBarrier() => Interlocked.MemoryBarrier();

    private static void NoteIf(bool changed)
    {
        if (changed)
        {
            Interleaving.Changed();
        }
    }
}
