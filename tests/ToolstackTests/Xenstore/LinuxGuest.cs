// The other end of a ring, as Linux has it: events only where they are needed.

using Xenod.Xenstore.Transports;
using Xenolith.Toolstack.Xenstore;

namespace ToolstackTests.Xenstore;

/// <summary>
/// Sends an event for a request only when the server had taken all older ones, and for room only when the ring was full. A server that
/// forgets to look again after it has published its positions would wait for ever.
/// </summary>
internal sealed class LinuxGuest(FakePage page, Action notify)
{
    private readonly Queue<byte> _toSend = new();
    private readonly List<byte> _received = [];

    /// <summary>Messages that have come whole.</summary>
    public List<Received> Messages { get; } = [];

    public bool HasToSend => _toSend.Count > 0;

    public void Send(byte[] message)
    {
        foreach (byte value in message)
        {
            _toSend.Enqueue(value);
        }
    }

    /// <summary>Writes at most that many bytes.</summary>
    public bool WriteSome(int most)
    {
        uint consumer = page[RingChannel.RequestConsumer];
        uint producer = page[RingChannel.RequestProducer];
        int room = (int)(RingChannel.Size - (producer - consumer));
        Assert.InRange(room, 0, RingChannel.Size);
        int count = Math.Min(Math.Min(room, most), _toSend.Count);
        if (count == 0)
        {
            return false;
        }
        for (int i = 0; i < count; i++)
        {
            page.Memory[RingChannel.Requests + (int)((producer + (uint)i) % RingChannel.Size)] = _toSend.Dequeue();
        }
        page[RingChannel.RequestProducer] = producer + (uint)count;
        if (producer - page[RingChannel.RequestConsumer] is 0 or > RingChannel.Size)
        {
            notify();
        }
        return true;
    }

    /// <summary>Reads at most that many bytes.</summary>
    public bool ReadSome(int most)
    {
        uint consumer = page[RingChannel.ResponseConsumer];
        uint available = page[RingChannel.ResponseProducer] - consumer;
        Assert.InRange(available, 0U, (uint)RingChannel.Size);
        int count = (int)Math.Min(available, (uint)most);
        if (count == 0)
        {
            return false;
        }
        for (int i = 0; i < count; i++)
        {
            _received.Add(page.Memory[RingChannel.Responses + (int)((consumer + (uint)i) % RingChannel.Size)]);
        }
        page[RingChannel.ResponseConsumer] = consumer + (uint)count;
        if (page[RingChannel.ResponseProducer] - consumer >= RingChannel.Size)
        {
            notify();
        }
        Parse();
        return true;
    }

    private void Parse()
    {
        while (_received.Count >= XenstoreHeader.Size)
        {
            byte[] bytes = [.. _received];
            int length = XenstoreHeader.Size + (int)XenstoreHeader.Read(bytes).Length;
            if (bytes.Length < length)
            {
                break;
            }
            TestStore.Parse(bytes.AsSpan(0, length), Messages);
            _received.RemoveRange(0, length);
        }
    }
}
