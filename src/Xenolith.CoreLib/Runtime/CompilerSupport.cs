// What compiled code calls behind the scenes. A feature whose helper is missing here does not build, on purpose.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace System
{
    internal static unsafe class SpanHelpers
    {
        [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "corelib_move")]
        private static extern void Move(byte* to, byte* from, nuint bytes);

        [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "corelib_fill")]
        private static extern void FillBytes(byte* to, byte value, nuint bytes);

        internal static void Memmove(ref byte to, ref byte from, nuint bytes)
        {
            fixed (byte* destination = &to, source = &from)
            {
                // SAFETY: the compiler or Span.CopyTo has bounded both sides.
                Move(destination, source, bytes);
            }
        }

        internal static void Fill(ref byte to, byte value, nuint bytes)
        {
            fixed (byte* destination = &to)
            {
                // SAFETY: as above.
                FillBytes(destination, value, bytes);
            }
        }

        internal static void ClearWithoutReferences(ref byte to, nuint bytes) => Fill(ref to, 0, bytes);
    }

    internal static class Buffer
    {
        internal static void BulkMoveWithWriteBarrier(ref byte to, ref byte from, nuint bytes) => SpanHelpers.Memmove(ref to, ref from, bytes);
    }
}

namespace System.Runtime
{
    internal static class TypeCast
    {
        internal static object? CheckCastAny(nint type, object? value) => value;

        internal static object? CheckCastInterface(nint type, object? value) => value;

        internal static object? CheckCastClass(nint type, object? value) => value;

        internal static object? CheckCastClassSpecial(nint type, object? value) => value;

        internal static object? IsInstanceOfAny(nint type, object? value) => null;

        internal static object? IsInstanceOfInterface(nint type, object? value) => null;

        internal static object? IsInstanceOfClass(nint type, object? value) => null;

        internal static object? IsInstanceOfException(nint type, object? value) => null;
    }
}

namespace Internal.Runtime.CompilerHelpers
{
    internal static class ThrowHelpers
    {
        [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "corelib_panic")]
        private static extern void Panic(int reason);

        private static void ThrowIndexOutOfRangeException() => Panic(0);

        private static void ThrowOverflowException() => Panic(1);

        private static void ThrowDivideByZeroException() => Panic(2);

        private static void ThrowNullReferenceException() => Panic(3);

        private static void ThrowArgumentOutOfRangeException() => Panic(4);

        private static void ThrowArgumentException() => Panic(4);

        private static void ThrowPlatformNotSupportedException() => Panic(5);

        private static void ThrowFeatureBodyRemoved() => Panic(5);
    }

    internal static class LdTokenHelpers
    {
        private static RuntimeTypeHandle GetRuntimeTypeHandle(nint type) => default;

        private static RuntimeFieldHandle GetRuntimeFieldHandle(nint field) => default;

        private static RuntimeMethodHandle GetRuntimeMethodHandle(nint method) => default;

        private static Type? GetRuntimeType(nint type) => null;
    }
}

namespace System.Runtime.CompilerServices
{
    public static class RuntimeHelpers
    {
        public static int OffsetToStringData => 12;

        public static void InitializeArray(Array array, RuntimeFieldHandle field) { }

        [Intrinsic]
        public static ReadOnlySpan<T> CreateSpan<T>(RuntimeFieldHandle field) => default;
    }

    public static unsafe class Unsafe
    {
        [Intrinsic]
        public static extern void SkipInit<T>(out T value);

        [Intrinsic]
        public static extern ref T Add<T>(ref T source, int elements);

        [Intrinsic]
        public static extern ref T Add<T>(ref T source, nint elements);

        [Intrinsic]
        public static extern ref TTo As<TFrom, TTo>(ref TFrom source);

        [Intrinsic]
        public static extern void* AsPointer<T>(ref T value);

        [Intrinsic]
        public static extern ref T AsRef<T>(void* source);

        [Intrinsic]
        public static extern ref T AsRef<T>(scoped ref readonly T source);

        [Intrinsic]
        public static extern T ReadUnaligned<T>(ref readonly byte source);

        [Intrinsic]
        public static extern void WriteUnaligned<T>(ref byte destination, T value);

        public static int SizeOf<T>() => sizeof(T);
    }
}
