// How much somebody may print.
namespace Xenolith.Hypervisor.Console;

/// <summary>A bucket of bytes that fills at a steady rate: a burst goes through at once, a flood at the rate.</summary>
internal struct OutputBudget
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    private uint _burst;
    private uint _bytesPerSecond;
    private uint _bytes;
    private ulong _filledAt;

    /// <summary>A full bucket.</summary>
    internal static OutputBudget New(uint burst, uint bytesPerSecond) => new() { _burst = burst, _bytesPerSecond = bytesPerSecond, _bytes = burst };

    /// <summary>Bytes that may be printed at a time.</summary>
    internal uint Available(ulong now)
    {
        ulong added = now > _filledAt ? Math.Min(now - _filledAt, NanosecondsPerSecond) * _bytesPerSecond / NanosecondsPerSecond : 0;
        if (added != 0)
        {
            _bytes = (uint)Math.Min(_burst, _bytes + added);
            _filledAt = now;
        }

        return _bytes;
    }

    internal void Spend(uint bytes) => _bytes -= Math.Min(_bytes, bytes);
}
