// Memory that the hypervisor reads and writes.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Zeroed at first. Structures lie in it as the interface lays them out. Not for use by several threads at once.</summary>
public abstract class HypercallBuffer : IDisposable
{
    /// <summary>What stands in a hypercall's argument, or in a handle within a structure.</summary>
    public abstract ulong Address { get; }

    /// <summary>Its contents; only until it is disposed of.</summary>
    public abstract Span<byte> Bytes { get; }

    /// <summary>Reads a structure.</summary>
    public T Read<T>(int offset = 0)
        where T : unmanaged
        => MemoryMarshal.Read<T>(Bytes[offset..]);

    /// <summary>Writes a structure.</summary>
    public void Write<T>(int offset, in T value)
        where T : unmanaged
        => MemoryMarshal.Write(Bytes[offset..], in value);

    /// <summary>The whole as a list.</summary>
    public Span<T> As<T>()
        where T : unmanaged
        => MemoryMarshal.Cast<byte, T>(Bytes);

    /// <summary>Bytes of a list of structures.</summary>
    public static int SizeOf<T>(int count = 1)
        where T : unmanaged
        => checked(Unsafe.SizeOf<T>() * count);

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives the memory back; may be called again.</summary>
    protected abstract void Release();
}
