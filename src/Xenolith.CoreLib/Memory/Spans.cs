// Span and what belongs to it.
using System.Runtime.CompilerServices;
using Internal.Runtime.CompilerHelpers;

namespace System
{
    public readonly ref struct Span<T>
    {
        internal readonly ref T _reference;
        private readonly int _length;

        public unsafe Span(void* pointer, int length)
        {
            _reference = ref Unsafe.AsRef<T>(pointer);
            _length = length;
        }

        public Span(ref T reference)
        {
            _reference = ref reference;
            _length = 1;
        }

        internal Span(ref T reference, int length)
        {
            _reference = ref reference;
            _length = length;
        }

        public int Length
        {
            [Intrinsic]
            get => _length;
        }

        public bool IsEmpty => _length == 0;

        public ref T this[int index]
        {
            [Intrinsic, MethodImpl(MethodImplOptions.AggressiveInlining)]
            get
            {
                if ((uint)index >= (uint)_length)
                {
                    SpanFault.Index();
                }

                return ref Unsafe.Add(ref _reference, (nint)(uint)index);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Span<T> Slice(int start)
        {
            if ((uint)start > (uint)_length)
            {
                SpanFault.Index();
            }

            return new Span<T>(ref Unsafe.Add(ref _reference, (nint)(uint)start), _length - start);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Span<T> Slice(int start, int length)
        {
            if ((ulong)(uint)start + (ulong)(uint)length > (ulong)(uint)_length)
            {
                SpanFault.Index();
            }

            return new Span<T>(ref Unsafe.Add(ref _reference, (nint)(uint)start), length);
        }

        public void CopyTo(Span<T> destination) => ((ReadOnlySpan<T>)this).CopyTo(destination);

        public ref T GetPinnableReference() => ref _reference;

        public void Clear() => SpanHelpers.Fill(ref Unsafe.As<T, byte>(ref _reference), 0, (nuint)_length * (nuint)Unsafe.SizeOf<T>());

        public void Fill(T value)
        {
            for (int i = 0; i < _length; i++)
            {
                this[i] = value;
            }
        }

        public static implicit operator ReadOnlySpan<T>(Span<T> span) => new(ref span._reference, span._length);
    }

    public readonly ref struct ReadOnlySpan<T>
    {
        internal readonly ref T _reference;
        private readonly int _length;

        public unsafe ReadOnlySpan(void* pointer, int length)
        {
            _reference = ref Unsafe.AsRef<T>(pointer);
            _length = length;
        }

        public ReadOnlySpan(T[] array)
            : this(array, 0, array.Length)
        {
        }

        public ReadOnlySpan(T[] array, int start, int length)
        {
            _reference = ref Unsafe.Add(ref array[0], start);
            _length = length;
        }

        internal ReadOnlySpan(ref T reference, int length)
        {
            _reference = ref reference;
            _length = length;
        }

        public static ReadOnlySpan<T> Empty => default;

        public ref readonly T GetPinnableReference() => ref _reference;

        public int Length
        {
            [Intrinsic]
            get => _length;
        }

        public bool IsEmpty => _length == 0;

        public ref readonly T this[int index]
        {
            [Intrinsic, MethodImpl(MethodImplOptions.AggressiveInlining)]
            get
            {
                if ((uint)index >= (uint)_length)
                {
                    SpanFault.Index();
                }

                return ref Unsafe.Add(ref _reference, (nint)(uint)index);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ReadOnlySpan<T> Slice(int start)
        {
            if ((uint)start > (uint)_length)
            {
                SpanFault.Index();
            }

            return new ReadOnlySpan<T>(ref Unsafe.Add(ref _reference, (nint)(uint)start), _length - start);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ReadOnlySpan<T> Slice(int start, int length)
        {
            if ((ulong)(uint)start + (ulong)(uint)length > (ulong)(uint)_length)
            {
                SpanFault.Index();
            }

            return new ReadOnlySpan<T>(ref Unsafe.Add(ref _reference, (nint)(uint)start), length);
        }

        public void CopyTo(Span<T> destination)
        {
            if ((uint)_length > (uint)destination.Length)
            {
                SpanFault.Index();
            }

            SpanHelpers.Memmove(
                ref Unsafe.As<T, byte>(ref destination._reference),
                ref Unsafe.As<T, byte>(ref _reference),
                (nuint)_length * (nuint)Unsafe.SizeOf<T>());
        }
    }

    internal static class SpanFault
    {
        [MethodImpl(MethodImplOptions.InternalCall), System.Runtime.RuntimeImport("*", "corelib_panic")]
        private static extern void Panic(int reason);

        internal static void Index()
        {
            Panic(0);
            throw null!;
        }
    }

    public static class MemoryExtensions
    {
        public static bool SequenceEqual(this ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
        {
            if (left.Length != right.Length)
            {
                return false;
            }

            for (int i = 0; i < left.Length; i++)
            {
                if (left[i] != right[i])
                {
                    return false;
                }
            }

            return true;
        }

        public static bool SequenceEqual(this Span<byte> left, ReadOnlySpan<byte> right) => SequenceEqual((ReadOnlySpan<byte>)left, right);

        public static bool StartsWith(this ReadOnlySpan<byte> text, ReadOnlySpan<byte> start)
            => text.Length >= start.Length && SequenceEqual(text.Slice(0, start.Length), start);

        public static int IndexOf(this ReadOnlySpan<byte> text, byte value)
        {
            for (int i = 0; i < text.Length; i++)
            {
                if (text[i] == value)
                {
                    return i;
                }
            }

            return -1;
        }
    }

    public readonly struct Index
    {
        private readonly int _value;

        public Index(int value, bool fromEnd = false) => _value = fromEnd ? ~value : value;

        public static implicit operator Index(int value) => new(value);

        public int GetOffset(int length) => _value < 0 ? length + _value + 1 : _value;
    }

    public readonly struct Range
    {
        public Range(Index start, Index end)
        {
            Start = start;
            End = end;
        }

        public Index Start { get; }

        public Index End { get; }

        public static Range StartAt(Index start) => new(start, new Index(0, true));

        public static Range EndAt(Index end) => new(new Index(0), end);
    }

    public static class Math
    {
        public static int Min(int left, int right) => left < right ? left : right;

        public static uint Min(uint left, uint right) => left < right ? left : right;

        public static ulong Min(ulong left, ulong right) => left < right ? left : right;

        public static int Max(int left, int right) => left > right ? left : right;

        public static uint Max(uint left, uint right) => left > right ? left : right;

        public static ulong Max(ulong left, ulong right) => left > right ? left : right;

        private static int ConvertToInt32Checked(double value) => 0;

        private static uint ConvertToUInt32Checked(double value) => 0;

        private static long ConvertToInt64Checked(double value) => 0;

        private static ulong ConvertToUInt64Checked(double value) => 0;
    }
}

namespace System.Runtime.InteropServices
{
    public static unsafe class MemoryMarshal
    {
        public static Span<T> CreateSpan<T>(scoped ref T reference, int length) => new(Unsafe.AsPointer(ref reference), length);

        public static ReadOnlySpan<T> CreateReadOnlySpan<T>(scoped ref readonly T reference, int length)
            => new(Unsafe.AsPointer(ref Unsafe.AsRef(in reference)), length);
    }
}

namespace System.Buffers.Binary
{
    public static class BinaryPrimitives
    {
        public static ushort ReadUInt16LittleEndian(ReadOnlySpan<byte> source)
        {
            _ = source[1];
            return Unsafe.ReadUnaligned<ushort>(in source[0]);
        }

        public static uint ReadUInt32LittleEndian(ReadOnlySpan<byte> source)
        {
            _ = source[3];
            return Unsafe.ReadUnaligned<uint>(in source[0]);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong ReadUInt64LittleEndian(ReadOnlySpan<byte> source)
        {
            _ = source[7];
            return Unsafe.ReadUnaligned<ulong>(in source[0]);
        }

        public static void WriteUInt32LittleEndian(Span<byte> destination, uint value)
        {
            _ = destination[3];
            Unsafe.WriteUnaligned(ref destination[0], value);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void WriteUInt64LittleEndian(Span<byte> destination, ulong value)
        {
            _ = destination[7];
            Unsafe.WriteUnaligned(ref destination[0], value);
        }
    }
}

namespace System.Numerics
{
    public static class BitOperations
    {
        [Intrinsic]
        public static int TrailingZeroCount(ulong value) => TrailingZeroCount(value);

        [Intrinsic]
        public static int TrailingZeroCount(uint value) => TrailingZeroCount(value);

        [Intrinsic]
        public static int LeadingZeroCount(ulong value) => LeadingZeroCount(value);

        [Intrinsic]
        public static int LeadingZeroCount(uint value) => LeadingZeroCount(value);
    }
}
