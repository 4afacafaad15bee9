// One request while it is handled.

using System.Globalization;
using System.Text;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

/// <summary>A request with its payload taken apart.</summary>
internal readonly ref struct Request(Connection connection, XenstoreHeader header, ReadOnlySpan<byte> payload, Transaction? transaction)
{
    public Connection Connection { get; } = connection;

    public XenstoreHeader Header { get; } = header;

    public ReadOnlySpan<byte> Payload { get; } = payload;

    public Transaction? Transaction { get; } = transaction;

    public Caller Caller => Connection.Caller;

    public void Acknowledge() => Reply("OK\0"u8);

    public void Reply(ReadOnlySpan<byte> payload) => Connection.Reply(Header, Header.Operation, payload);

    /// <summary>The only string of the payload.</summary>
    public bool TryOnly(out ReadOnlySpan<byte> text)
    {
        int end = Payload.IndexOf((byte)0);
        text = end < 0 ? default : Payload[..end];
        return end >= 0 && end == Payload.Length - 1;
    }

    /// <summary>The first string of the payload, and the bytes behind its NUL.</summary>
    public bool TryFirst(out ReadOnlySpan<byte> text, out ReadOnlySpan<byte> rest)
    {
        int end = Payload.IndexOf((byte)0);
        text = end < 0 ? default : Payload[..end];
        rest = end < 0 ? default : Payload[(end + 1)..];
        return end >= 0;
    }

    /// <summary>The two strings of the payload.</summary>
    public bool TryPair(out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> second)
    {
        second = default;
        if (!TryFirst(out first, out ReadOnlySpan<byte> rest))
        {
            return false;
        }
        int end = rest.IndexOf((byte)0);
        second = end < 0 ? default : rest[..end];
        return end >= 0 && end == rest.Length - 1;
    }

    /// <summary>The payload as that many numbers in decimal, each with a NUL behind it.</summary>
    public bool TryNumbers(Span<ulong> numbers)
    {
        ReadOnlySpan<byte> rest = Payload;
        for (int i = 0; i < numbers.Length; i++)
        {
            int end = rest.IndexOf((byte)0);
            if (end < 0 || !ulong.TryParse(rest[..end], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
            {
                return false;
            }
            rest = rest[(end + 1)..];
        }
        return rest.IsEmpty;
    }

    /// <summary>The node's path from the root; false when the name is malformed or special.</summary>
    public bool TryPath(ReadOnlySpan<byte> name, out string path)
    {
        path = "";
        if (!XenstorePath.IsValid(name) || name[0] == '@')
        {
            return false;
        }
        path = Encoding.ASCII.GetString(name);
        if (path[0] == '/')
        {
            return true;
        }
        path = Connection.BaseDirectory + "/" + path;
        return path.Length <= XenstorePath.MaximumAbsolute;
    }
}
