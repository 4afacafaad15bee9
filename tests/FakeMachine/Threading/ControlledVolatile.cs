// Volatile of the hosted build: each access is a moment for another processor to act before.
using System.Threading;

namespace Xenolith.Machine;

/// <summary>Stands for System.Threading.Volatile in the sources of the hypervisor.</summary>
public static class ControlledVolatile
{
    public static byte Read(ref readonly byte location)
    {
        Interleaving.Access();
        return Volatile.Read(in location);
    }

    public static int Read(ref readonly int location)
    {
        Interleaving.Access();
        return Volatile.Read(in location);
    }

    public static uint Read(ref readonly uint location)
    {
        Interleaving.Access();
        return Volatile.Read(in location);
    }

    public static ulong Read(ref readonly ulong location)
    {
        Interleaving.Access();
        return Volatile.Read(in location);
    }

    public static void Write(ref byte location, byte value)
    {
        Interleaving.Access();
        Volatile.Write(ref location, value);
        Interleaving.Changed();
    }

    public static void Write(ref int location, int value)
    {
        Interleaving.Access();
        Volatile.Write(ref location, value);
        Interleaving.Changed();
    }

    public static void Write(ref uint location, uint value)
    {
        Interleaving.Access();
        Volatile.Write(ref location, value);
        Interleaving.Changed();
    }

    public static void Write(ref ulong location, ulong value)
    {
        Interleaving.Access();
        Volatile.Write(ref location, value);
        Interleaving.Changed();
    }
}
