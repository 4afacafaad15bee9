// The primitive types that the language and the compiler know by name.
namespace System
{
    public unsafe class Object
    {
        // The method-table word; the compiler's object layout begins with it.
        private nint _methodTable;

        public Object() { }

        public virtual bool Equals(object? other) => false;

        public virtual int GetHashCode() => 0;
    }

    public abstract class ValueType { }

    public abstract class Enum : ValueType { }

    public struct Void { }

    public struct Boolean { }

    public struct Char { }

    public struct SByte { }

    public struct Byte { public const byte MaxValue = 255; }

    public struct Int16 { public const short MaxValue = 32767; }

    public struct UInt16 { public const ushort MaxValue = 65535; }

    public struct Int32
    {
        public const int MaxValue = 0x7FFFFFFF;
        public const int MinValue = -0x80000000;
    }

    public struct UInt32 { public const uint MaxValue = 0xFFFFFFFF; }

    public struct Int64
    {
        public const long MaxValue = 0x7FFFFFFFFFFFFFFF;
        public const long MinValue = -0x8000000000000000;
    }

    public struct UInt64 { public const ulong MaxValue = 0xFFFFFFFFFFFFFFFF; }

    public struct Single { }

    public struct Double { }

    public struct IntPtr { }

    public struct UIntPtr { }

    public abstract class Delegate { }

    public abstract class MulticastDelegate : Delegate { }

    public abstract class Array
    {
        private int _length;

        public int Length => _length;
    }

    internal class Array<T> : Array { }

    public sealed class String
    {
        private readonly int _length;
        private readonly char _first;

        public int Length => _length;
    }

    public abstract class Type
    {
        public static Type? GetTypeFromHandle(RuntimeTypeHandle handle) => null;
    }

    public class RuntimeType : Type { }

    public struct RuntimeTypeHandle { private nint _value; }

    public struct RuntimeMethodHandle { private nint _value; }

    public struct RuntimeFieldHandle { private nint _value; }

    public class Exception { }

    public class NotSupportedException : Exception { }

    public struct Nullable<T>
        where T : struct
    {
        private readonly bool _hasValue;
        private readonly T _value;

        public Nullable(T value)
        {
            _hasValue = true;
            _value = value;
        }

        public readonly bool HasValue => _hasValue;

        public readonly T GetValueOrDefault() => _value;
    }

    public struct ValueTuple<T1, T2>
    {
        public T1 Item1;
        public T2 Item2;

        public ValueTuple(T1 item1, T2 item2)
        {
            Item1 = item1;
            Item2 = item2;
        }
    }
}

namespace System.Collections
{
    public interface IEnumerable { }

    public interface IEnumerator { }
}

namespace Internal.Runtime
{
    internal struct MethodTable { private nint _value; }
}
