// Bytes of the journal: numbers, texts and records with lengths and check sums.

using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Xenod.Xenstore.Journal;

/// <summary>
/// A growing buffer. A record is its length (4 bytes), a check sum of its content (4 bytes), and the content, so that a record that was
/// written in part is known as such.
/// </summary>
internal sealed class RecordWriter
{
    /// <summary>Bytes before a record's content.</summary>
    public const int HeaderSize = 8;

    private byte[] _buffer = new byte[4096];
    private int _record = -1;

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void Begin()
    {
        _record = Length;
        Reserve(HeaderSize);
    }

    /// <summary>Ends the record.</summary>
    public void End()
    {
        Span<byte> record = _buffer.AsSpan(_record, Length - _record);
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length - HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(record[4..], CheckSum(record[HeaderSize..]));
        _record = -1;
    }

    /// <summary>Drops the record that was begun.</summary>
    public void Abandon()
    {
        Length = _record;
        _record = -1;
    }

    public void Byte(byte value) => Reserve(1)[0] = value;

    public void Flag(bool value) => Byte(value ? (byte)1 : (byte)0);

    /// <summary>A number in as many groups of 7 bits as it needs.</summary>
    public void Number(ulong value)
    {
        while (value >= 0x80)
        {
            Byte((byte)(value | 0x80));
            value >>= 7;
        }
        Byte((byte)value);
    }

    public void Bytes(ReadOnlySpan<byte> value)
    {
        Number((ulong)value.Length);
        value.CopyTo(Reserve(value.Length));
    }

    /// <summary>Two pieces as one run of bytes.</summary>
    public void Bytes(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        Number((ulong)(first.Length + second.Length));
        first.CopyTo(Reserve(first.Length));
        second.CopyTo(Reserve(second.Length));
    }

    /// <summary>Characters below 256, a byte each.</summary>
    public void Text(string value)
    {
        Number((ulong)value.Length);
        Encoding.Latin1.GetBytes(value, Reserve(value.Length));
    }

    public static uint CheckSum(ReadOnlySpan<byte> content)
    {
        uint sum = uint.MaxValue;
        while (content.Length >= 8)
        {
            sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(content));
            content = content[8..];
        }
        foreach (byte value in content)
        {
            sum = BitOperations.Crc32C(sum, value);
        }
        return ~sum;
    }

    private Span<byte> Reserve(int count)
    {
        if (_buffer.Length - Length < count)
        {
            Array.Resize(ref _buffer, Math.Max(2 * _buffer.Length, Length + count));
        }
        Length += count;
        return _buffer.AsSpan(Length - count, count);
    }
}
