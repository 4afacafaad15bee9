// Atomic and ordered memory operations; the compiler replaces each by an instruction.
using System.Runtime.CompilerServices;

namespace System.Threading
{
    public static class Interlocked
    {
        [Intrinsic]
        public static int CompareExchange(ref int location, int value, int comparand) => CompareExchange(ref location, value, comparand);

        [Intrinsic]
        public static uint CompareExchange(ref uint location, uint value, uint comparand) => CompareExchange(ref location, value, comparand);

        [Intrinsic]
        public static long CompareExchange(ref long location, long value, long comparand) => CompareExchange(ref location, value, comparand);

        [Intrinsic]
        public static ulong CompareExchange(ref ulong location, ulong value, ulong comparand) => CompareExchange(ref location, value, comparand);

        [Intrinsic]
        public static int Exchange(ref int location, int value) => Exchange(ref location, value);

        [Intrinsic]
        public static ulong Exchange(ref ulong location, ulong value) => Exchange(ref location, value);

        [Intrinsic]
        public static ulong Or(ref ulong location, ulong value) => Or(ref location, value);

        [Intrinsic]
        public static ulong And(ref ulong location, ulong value) => And(ref location, value);

        [Intrinsic]
        public static void MemoryBarrier() => MemoryBarrier();
    }

    public static class Volatile
    {
        [Intrinsic]
        public static byte Read(ref readonly byte location) => Read(in location);

        [Intrinsic]
        public static int Read(ref readonly int location) => Read(in location);

        [Intrinsic]
        public static uint Read(ref readonly uint location) => Read(in location);

        [Intrinsic]
        public static ulong Read(ref readonly ulong location) => Read(in location);

        [Intrinsic]
        public static void Write(ref byte location, byte value) => Write(ref location, value);

        [Intrinsic]
        public static void Write(ref int location, int value) => Write(ref location, value);

        [Intrinsic]
        public static void Write(ref uint location, uint value) => Write(ref location, value);

        [Intrinsic]
        public static void Write(ref ulong location, ulong value) => Write(ref location, value);
    }
}

namespace System.Runtime.Intrinsics.X86
{
    public abstract class X86Base
    {
        [Intrinsic]
        public static void Pause() => Pause();
    }

    public abstract class Sse2 : X86Base
    {
        [Intrinsic]
        public static void MemoryFence() => MemoryFence();

        [Intrinsic]
        public static void LoadFence() => LoadFence();
    }
}
