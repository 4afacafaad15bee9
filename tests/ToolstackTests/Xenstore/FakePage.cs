// A ring page in ordinary memory, on which something may happen at every access of the server.

using System.Buffers.Binary;
using Xenod.Xenstore;

namespace ToolstackTests.Xenstore;

internal sealed class FakePage : ISharedPage
{
    public byte[] Memory { get; } = new byte[4096];

    /// <summary>Called before each access of the server.</summary>
    public Action? BeforeAccess { get; set; }

    public uint this[int offset]
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(Memory.AsSpan(offset));
        set => BinaryPrimitives.WriteUInt32LittleEndian(Memory.AsSpan(offset), value);
    }

    public uint ReadWord(int offset)
    {
        BeforeAccess?.Invoke();
        return this[offset];
    }

    public void WriteWord(int offset, uint value)
    {
        BeforeAccess?.Invoke();
        this[offset] = value;
    }

    public void Read(int offset, Span<byte> destination)
    {
        BeforeAccess?.Invoke();
        Memory.AsSpan(offset, destination.Length).CopyTo(destination);
    }

    public void Write(int offset, ReadOnlySpan<byte> source)
    {
        BeforeAccess?.Invoke();
        source.CopyTo(Memory.AsSpan(offset, source.Length));
    }
}
