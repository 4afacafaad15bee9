// A domain's shared ring page (public header io/xs_wire.h, struct xenstore_domain_interface).

using Xenod.Xenstore.Machine;

namespace Xenod.Xenstore.Transports;

/// <summary>
/// The server's end of a ring. The guest writes the page whenever it likes; of what it says only its own positions are read, once each, and
/// the server's own are kept here.
/// </summary>
internal sealed class RingChannel : IChannel
{
    public const int Size = 1024;
    public const int Requests = 0;
    public const int Responses = 1024;
    public const int RequestConsumer = 2048;
    public const int RequestProducer = 2052;
    public const int ResponseConsumer = 2056;
    public const int ResponseProducer = 2060;

    private readonly IDomainRing _ring;
    private RingPositions _positions;
    private bool _changed;
    private bool _full;

    /// <summary>A ring that has been used so far.</summary>
    public RingChannel(IDomainRing ring, RingPositions positions)
    {
        _ring = ring;
        _positions = positions;
        _changed = true;
    }

    /// <summary>How far the page says that it has been used.</summary>
    public static RingPositions Positions(ISharedPage page) => new(page.ReadWord(RequestConsumer), page.ReadWord(ResponseProducer));

    /// <summary>Empties a ring whose domain starts anew with it.</summary>
    public static void Reset(ISharedPage page)
    {
        page.WriteWord(RequestConsumer, 0);
        page.WriteWord(RequestProducer, 0);
        page.WriteWord(ResponseConsumer, 0);
        page.WriteWord(ResponseProducer, 0);
    }

    public int Peek(Span<byte> destination)
    {
        uint position = _positions.RequestConsumer;
        uint used = _ring.Page.ReadWord(RequestProducer) - position;
        if (used > Size)
        {
            return -1;
        }
        int count = (int)Math.Min(used, (uint)destination.Length);
        int start = (int)(position % Size);
        int first = Math.Min(count, Size - start);
        _ring.Page.Read(Requests + start, destination[..first]);
        _ring.Page.Read(Requests, destination[first..count]);
        return count;
    }

    public void Take(int count)
    {
        _positions = _positions with { RequestConsumer = _positions.RequestConsumer + (uint)count };
        _changed = true;
    }

    public int Put(ReadOnlySpan<byte> source)
    {
        uint position = _positions.ResponseProducer;
        uint used = position - _ring.Page.ReadWord(ResponseConsumer);
        if (used > Size)
        {
            return -1;
        }
        int count = (int)Math.Min(Size - used, (uint)source.Length);
        _full = count < source.Length;
        if (count == 0)
        {
            return 0;
        }
        int start = (int)(position % Size);
        int first = Math.Min(count, Size - start);
        _ring.Page.Write(Responses + start, source[..first]);
        _ring.Page.Write(Responses, source[first..count]);
        _positions = _positions with { ResponseProducer = position + (uint)count };
        _changed = true;
        return count;
    }

    public bool Publish()
    {
        if (!_changed)
        {
            return false;
        }
        _changed = false;
        _ring.Page.WriteWord(RequestConsumer, _positions.RequestConsumer);
        _ring.Page.WriteWord(ResponseProducer, _positions.ResponseProducer);
        _ring.Notify();
        // Linux sends no event for a request while it sees older ones that were not taken, nor for room while it sees a ring that was not full.
        // What it did while it saw the old positions has to be found by looking again, after it can see the new ones.
        Interlocked.MemoryBarrier();
        bool requests = _ring.Page.ReadWord(RequestProducer) != _positions.RequestConsumer;
        bool room = _full && _positions.ResponseProducer - _ring.Page.ReadWord(ResponseConsumer) != Size;
        return requests || room;
    }

    public void Dispose() => _ring.Dispose();
}
