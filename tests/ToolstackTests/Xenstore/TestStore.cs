// A state machine to ask, with rings that are never really there.

using System.Text;
using Xenod.Xenstore;
using Xenod.Xenstore.Journal;
using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;

namespace ToolstackTests.Xenstore;

/// <summary>What a connection has received: its name, its transaction, its payload with '|' for NUL.</summary>
internal readonly record struct Received(XenstoreOperation Operation, uint Request, uint Transaction, string Text);

/// <summary>Asks a state machine as clients would, one whole message after the other.</summary>
internal sealed class TestStore : IDomainRings
{
    private readonly List<Received> _events = [];
    private uint _request;

    public TestStore(StoreLimits? limits = null)
    {
        Machine = new StoreMachine(limits ?? StoreLimits.Default, this);
        Domain0 = Machine.ConnectSocket();
    }

    public StoreMachine Machine { get; }

    /// <summary>A socket's connection.</summary>
    public Connection Domain0 { get; }

    /// <summary>Whether rings can be connected.</summary>
    public bool CanConnect { get; set; } = true;

    public HashSet<uint> Rings { get; } = [];

    /// <summary>A domain with its directory, introduced.</summary>
    public Connection Introduce(uint domain)
    {
        Assert.Equal("OK", Ask(Domain0, XenstoreOperation.MakeDirectory, $"/local/domain/{domain}|"));
        Assert.Equal("OK", Ask(Domain0, XenstoreOperation.SetPermissions, $"/local/domain/{domain}|n{domain}|"));
        Assert.Equal("OK", Ask(Domain0, XenstoreOperation.Introduce, $"{domain}|{domain + 1000}|1|"));
        return Machine.Connections[domain];
    }

    /// <summary>The reply's text without its last NUL, or the error's name. Events that came with it are kept for <see cref="Events"/>.</summary>
    /// <param name="connection">Who asks.</param>
    /// <param name="operation">What.</param>
    /// <param name="payload">The payload, with '|' for NUL.</param>
    /// <param name="transaction">The transaction's number.</param>
    public string Ask(Connection connection, XenstoreOperation operation, string payload, uint transaction = 0)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(payload.Replace('|', '\0'));
        Send(connection, XenstoreHeader.Format(operation, ++_request, transaction, bytes));
        string? answer = null;
        foreach (Received message in Drain(connection))
        {
            if (message.Operation == XenstoreOperation.WatchEvent)
            {
                _events.Add(message with { Request = connection.Id });
                continue;
            }
            Assert.Null(answer);
            Assert.Equal(_request, message.Request);
            Assert.Equal(transaction, message.Transaction);
            Assert.True(message.Operation == operation || message.Operation == XenstoreOperation.Error);
            answer = message.Text.EndsWith('|') ? message.Text[..^1] : message.Text;
        }
        return answer ?? throw new InvalidOperationException("no answer");
    }

    public uint Start(Connection connection) => uint.Parse(Ask(connection, XenstoreOperation.TransactionStart, "|"));

    /// <summary>The events that the connection got, as "path|token", and forgets them.</summary>
    public List<string> Events(Connection connection)
    {
        List<string> events = [.. _events.Where(e => e.Request == connection.Id).Select(e => e.Text[..^1])];
        _events.RemoveAll(e => e.Request == connection.Id);
        events.AddRange(Drain(connection).Select(message => message.Text[..^1]));
        return events;
    }

    public void Send(Connection connection, ReadOnlySpan<byte> message)
    {
        while (!message.IsEmpty)
        {
            int length = Math.Min(connection.Needed, message.Length);
            Machine.Receive(connection, message[..length]);
            message = message[length..];
        }
    }

    /// <summary>Reads all that is queued.</summary>
    public List<Received> Drain(Connection connection)
    {
        List<Received> messages = [];
        while (connection.QueuedBytes > 0)
        {
            byte[] bytes = new byte[connection.QueuedBytes];
            Assert.Equal(bytes.Length, connection.Peek(bytes));
            Machine.Sent(connection, bytes.Length);
            Parse(bytes, messages);
        }
        return messages;
    }

    public static void Parse(ReadOnlySpan<byte> bytes, List<Received> messages)
    {
        while (!bytes.IsEmpty)
        {
            XenstoreHeader header = XenstoreHeader.Read(bytes);
            int end = XenstoreHeader.Size + (int)header.Length;
            messages.Add(new(header.Operation, header.RequestId, header.TransactionId, Encoding.Latin1.GetString(bytes[XenstoreHeader.Size..end]).Replace('\0', '|')));
            bytes = bytes[end..];
        }
    }

    /// <summary>The whole state as bytes.</summary>
    public static byte[] State(StoreMachine machine)
    {
        RecordWriter writer = new();
        machine.Save(writer);
        return writer.Written.ToArray();
    }

    public RingPositions? Connect(uint domain, ulong frame, uint port, bool again)
    {
        if (!CanConnect)
        {
            return null;
        }
        Assert.Equal(again, !Rings.Add(domain));
        return default(RingPositions);
    }

    public void Disconnect(uint domain) => Assert.True(Rings.Remove(domain));
}
