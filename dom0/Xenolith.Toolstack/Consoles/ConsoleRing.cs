// The page through which a domain's console passes.
using System.Runtime.InteropServices;
using Xenolith.Abi;

namespace Xenolith.Toolstack.Consoles;

/// <summary>Domain 0's end of a console ring (public header io/console.h): 1024 bytes towards the guest, 2048 from it, and four counters.</summary>
/// <remarks>
/// The guest writes to the page whenever it likes. Domain 0's own two counters are kept here and only told to the guest; of the guest's counters
/// a value that cannot be right counts as nothing new.
/// </remarks>
public sealed class ConsoleRing
{
    /// <summary>Bytes towards the guest for which there is room.</summary>
    public const int InputSize = ConsoleRingLayout.InputBytes;

    /// <summary>Bytes from the guest for which there is room.</summary>
    public const int OutputSize = ConsoleRingLayout.OutputBytes;

    /// <summary>Bytes of the page.</summary>
    public const int PageSize = 4096;

    private readonly Memory<byte> _page;
    private uint _inputProduced;
    private uint _outputConsumed;

    /// <summary>Goes on where the page's counters stand.</summary>
    /// <param name="page">The shared page, 4096 bytes.</param>
    public ConsoleRing(Memory<byte> page)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(page.Length, PageSize);
        _page = page;
        _inputProduced = Volatile.Read(ref Counter(ConsoleRingLayout.InputProducer));
        _outputConsumed = Volatile.Read(ref Counter(ConsoleRingLayout.OutputConsumer));
    }

    /// <summary>Bytes taken from the guest since the page was empty, modulo 2^32.</summary>
    public uint Consumed => _outputConsumed;

    /// <summary>Bytes that the guest has written and that nobody has taken yet.</summary>
    public int Pending
    {
        get
        {
            uint pending = Volatile.Read(ref Counter(ConsoleRingLayout.OutputProducer)) - _outputConsumed;
            return pending <= OutputSize ? (int)pending : 0;
        }
    }

    /// <summary>Bytes given to the guest that it has not read yet.</summary>
    public int Unread
    {
        get
        {
            uint unread = _inputProduced - Volatile.Read(ref Counter(ConsoleRingLayout.InputConsumer));
            return unread <= InputSize ? (int)unread : 0;
        }
    }

    /// <summary>Copies what the guest has written without taking it.</summary>
    /// <returns>How many bytes; 0 when there are none.</returns>
    public int Peek(Span<byte> into)
    {
        int count = Math.Min(Pending, into.Length);
        Copy(_page.Span.Slice(ConsoleRingLayout.Output, OutputSize), _outputConsumed, into[..count]);
        return count;
    }

    /// <summary>Takes bytes that were peeked at: the guest may use their room again. The guest has to be notified after that.</summary>
    public void Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)OutputSize);
        _outputConsumed += (uint)count;
        Volatile.Write(ref Counter(ConsoleRingLayout.OutputConsumer), _outputConsumed);
    }

    /// <summary>Gives bytes to the guest, as many as there is room for. The guest has to be notified when there were any.</summary>
    /// <returns>How many bytes there was room for.</returns>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        uint used = _inputProduced - Volatile.Read(ref Counter(ConsoleRingLayout.InputConsumer));
        int count = used <= InputSize ? Math.Min(InputSize - (int)used, bytes.Length) : 0;
        Span<byte> ring = _page.Span[..InputSize];
        for (int i = 0; i < count; i++)
        {
            ring[(int)((_inputProduced + (uint)i) % InputSize)] = bytes[i];
        }

        _inputProduced += (uint)count;
        Volatile.Write(ref Counter(ConsoleRingLayout.InputProducer), _inputProduced);
        return count;
    }

    private static void Copy(ReadOnlySpan<byte> ring, uint from, Span<byte> into)
    {
        int at = (int)(from % (uint)ring.Length);
        int first = Math.Min(into.Length, ring.Length - at);
        ring.Slice(at, first).CopyTo(into);
        ring[..(into.Length - first)].CopyTo(into[first..]);
    }

    private ref uint Counter(int offset) => ref MemoryMarshal.AsRef<uint>(_page.Span.Slice(offset, sizeof(uint)));
}
