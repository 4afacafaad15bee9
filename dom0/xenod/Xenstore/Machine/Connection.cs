// One client of the server: what it has sent in part, what it has not read yet, its watches and transactions.

using System.Text;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

/// <summary>A message that waits to be read by the client.</summary>
/// <param name="Bytes">Header and payload.</param>
/// <param name="Event">Which event it is, when it may stand for later equal ones.</param>
internal readonly record struct QueuedMessage(byte[] Bytes, (Watch Watch, string Path)? Event);

/// <summary>
/// A connection: a socket's, which is Domain 0's and ends with the server's process, or a domain's ring, which outlives it.
/// </summary>
internal sealed class Connection
{
    /// <summary>Sockets have numbers from here on; a ring's number is its domain's.</summary>
    public const uint FirstSocket = 0x10000;

    private readonly byte[] _partial = new byte[XenstoreHeader.Size + XenstoreHeader.MaximumPayload];
    private readonly Queue<QueuedMessage> _output = new();
    private readonly HashSet<(Watch Watch, string Path)> _queuedEvents = [];

    private readonly List<Connection> _unsent;
    private bool _isUnsent;

    /// <summary>A client.</summary>
    /// <param name="id">The domain's number, or a socket's.</param>
    /// <param name="limits">What it may use.</param>
    /// <param name="unsent">Where it puts itself when a message is queued.</param>
    public Connection(uint id, StoreLimits limits, List<Connection> unsent)
    {
        Id = id;
        Limits = limits;
        _unsent = unsent;
        BaseDirectory = XenstorePath.OfDomain(Domain);
    }

    public uint Id { get; }

    public bool IsSocket => Id >= FirstSocket;

    public uint Domain => IsSocket ? 0 : Id;

    /// <summary>The domain that this one serves.</summary>
    public uint? Target { get; set; }

    public Caller Caller => new(Domain, Target);

    public StoreLimits Limits { get; }

    /// <summary>Where relative paths start.</summary>
    public string BaseDirectory { get; }

    public List<Watch> Watches { get; } = [];

    public SortedDictionary<uint, Transaction> Transactions { get; } = [];

    public uint LastTransaction { get; set; }

    /// <summary>The ring and the domain behind it; null for sockets.</summary>
    public DomainLink? Link { get; set; }

    /// <summary>The client has broken the protocol: nothing is taken from it any more.</summary>
    public bool Broken { get; set; }

    /// <summary>Events were left out because nobody read: all watches fire when the queue is empty.</summary>
    public bool EventsLost { get; set; }

    /// <summary>Bytes of queued messages that the client has not read.</summary>
    public int QueuedBytes { get; private set; }

    /// <summary>Bytes of the first queued message that the client has read.</summary>
    public int HeadOffset { get; private set; }

    public IEnumerable<QueuedMessage> Output => _output;

    /// <summary>The bytes of the message that is being received.</summary>
    public ReadOnlySpan<byte> Partial => _partial.AsSpan(0, PartialLength);

    public int PartialLength { get; private set; }

    /// <summary>Bytes of watches and transactions.</summary>
    public long HeldBytes
    {
        get
        {
            long bytes = WatchBytes;
            foreach (Transaction transaction in Transactions.Values)
            {
                bytes += transaction.Cost;
            }
            return bytes;
        }
    }

    public long WatchBytes { get; private set; }

    /// <summary>Bytes up to the end of the header, or with the header there up to the end of the message.</summary>
    public int Needed => PartialLength < XenstoreHeader.Size ? XenstoreHeader.Size - PartialLength : XenstoreHeader.Size + (int)Header.Length - PartialLength;

    public XenstoreHeader Header => XenstoreHeader.Read(_partial);

    /// <summary>Adds received bytes, at most <see cref="Needed"/>.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_partial.AsSpan(PartialLength, Needed));
        PartialLength += bytes.Length;
    }

    public void ClearPartial() => PartialLength = 0;

    public void Reply(XenstoreHeader request, XenstoreOperation operation, ReadOnlySpan<byte> payload) =>
        Enqueue(new(XenstoreHeader.Format(operation, request.RequestId, request.TransactionId, payload), null));

    /// <summary>Queues an event.</summary>
    /// <param name="watch">Whose event it is.</param>
    /// <param name="path">What has changed.</param>
    /// <param name="merge">Unless the same is queued already.</param>
    /// <param name="always">Even when much is queued: for events that the client has asked for itself.</param>
    public void Notify(Watch watch, string path, bool merge, bool always)
    {
        if (Broken || (merge && _queuedEvents.Contains((watch, path))))
        {
            return;
        }
        string shown = watch.Shown(path);
        int length = shown.Length + watch.Token.Length + 2;
        if (length > XenstoreHeader.MaximumPayload)
        {
            return;
        }
        if (!always && QueuedBytes + length > Limits.QueuedEventBytes)
        {
            EventsLost = true;
            return;
        }
        byte[] payload = new byte[length];
        Encoding.Latin1.GetBytes(shown, payload);
        Encoding.Latin1.GetBytes(watch.Token, payload.AsSpan(shown.Length + 1));
        Enqueue(new(XenstoreHeader.Format(XenstoreOperation.WatchEvent, 0, 0, payload), merge ? (watch, path) : null));
    }

    /// <summary>Copies queued bytes from the first unread one on; the result says how many.</summary>
    public int Peek(Span<byte> destination)
    {
        int copied = 0;
        int offset = HeadOffset;
        foreach (QueuedMessage message in _output)
        {
            ReadOnlySpan<byte> rest = message.Bytes.AsSpan(offset);
            int length = Math.Min(rest.Length, destination.Length - copied);
            rest[..length].CopyTo(destination[copied..]);
            copied += length;
            offset = 0;
            if (copied == destination.Length)
            {
                break;
            }
        }
        return copied;
    }

    /// <summary>The client has got that many queued bytes more.</summary>
    public void Dequeue(int count)
    {
        QueuedBytes -= count;
        while (count > 0)
        {
            QueuedMessage head = _output.Peek();
            if (head.Event is { } queued && HeadOffset == 0)
            {
                _queuedEvents.Remove(queued);
            }
            int length = Math.Min(count, head.Bytes.Length - HeadOffset);
            count -= length;
            HeadOffset += length;
            if (HeadOffset == head.Bytes.Length)
            {
                _output.Dequeue();
                HeadOffset = 0;
            }
        }
    }

    public void AddWatch(Watch watch)
    {
        Watches.Add(watch);
        WatchBytes += watch.Cost;
    }

    public void RemoveWatch(Watch watch)
    {
        Watches.Remove(watch);
        WatchBytes -= watch.Cost;
    }

    /// <summary>Whoever cleared the list of those with queued messages has looked at this one.</summary>
    public void Looked() => _isUnsent = false;

    /// <summary>Forgets messages that came in part or were not read.</summary>
    public void ClearMessages()
    {
        _output.Clear();
        _queuedEvents.Clear();
        QueuedBytes = 0;
        HeadOffset = 0;
        PartialLength = 0;
        EventsLost = false;
    }

    /// <summary>Puts kept messages back.</summary>
    public void RestoreMessages(ReadOnlySpan<byte> partial, IEnumerable<QueuedMessage> output, int headOffset)
    {
        ClearMessages();
        partial.CopyTo(_partial);
        PartialLength = partial.Length;
        foreach (QueuedMessage message in output)
        {
            Enqueue(message);
        }
        if (headOffset > 0)
        {
            Dequeue(headOffset);
        }
    }

    private void Enqueue(QueuedMessage message)
    {
        if (Broken)
        {
            return;
        }
        if (message.Event is { } queued)
        {
            _queuedEvents.Add(queued);
        }
        _output.Enqueue(message);
        QueuedBytes += message.Bytes.Length;
        if (!_isUnsent)
        {
            _isUnsent = true;
            _unsent.Add(this);
        }
    }
}
