// Reads what RecordWriter writes.

using System.Buffers.Binary;
using System.Text;

namespace Xenod.Xenstore.Journal;

/// <summary>Reads the content of one record; content that is not what the reader expects is <see cref="InvalidDataException"/>.</summary>
internal ref struct RecordReader(ReadOnlySpan<byte> content)
{
    private ReadOnlySpan<byte> _rest = content;

    public readonly bool AtEnd => _rest.IsEmpty;

    /// <summary>The next whole record's content; false at the end or before a record that is not whole.</summary>
    public static bool TryNext(ref ReadOnlySpan<byte> journal, out ReadOnlySpan<byte> content)
    {
        content = default;
        if (journal.Length < RecordWriter.HeaderSize)
        {
            return false;
        }
        int length = BinaryPrimitives.ReadInt32LittleEndian(journal);
        if (length < 0 || length > journal.Length - RecordWriter.HeaderSize)
        {
            return false;
        }
        ReadOnlySpan<byte> candidate = journal.Slice(RecordWriter.HeaderSize, length);
        if (BinaryPrimitives.ReadUInt32LittleEndian(journal[4..]) != RecordWriter.CheckSum(candidate))
        {
            return false;
        }
        content = candidate;
        journal = journal[(RecordWriter.HeaderSize + length)..];
        return true;
    }

    public byte Byte() => Take(1)[0];

    public bool Flag() => Byte() != 0;

    public ulong Number()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte group = Byte();
            value |= (ulong)(group & 0x7f) << shift;
            if (group < 0x80)
            {
                return value;
            }
        }
        throw new InvalidDataException("a number in the journal is too long");
    }

    public uint Number32() => checked((uint)Number());

    /// <summary>A count of things of at least a byte each.</summary>
    public int Count()
    {
        ulong count = Number();
        return count <= (ulong)_rest.Length ? (int)count : throw new InvalidDataException("a count in the journal is too large");
    }

    public ReadOnlySpan<byte> Bytes() => Take(Count());

    public string Text() => Encoding.Latin1.GetString(Bytes());

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw new InvalidDataException("a record of the journal ends too early");
        }
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
