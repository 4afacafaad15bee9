// A hypervisor that fails once, where a test says.
using Xenolith.Abi;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Tests.Support;

/// <summary>Counts calls, mappings and buffers; the one of a given number fails without having any effect, all others are passed on.</summary>
internal sealed class FailingHypervisor(IHypervisor inner, int failAt, XenError error) : IHypervisor
{
    private int _count;

    /// <summary>Whether the failure has happened.</summary>
    internal bool HasFailed => _count >= failAt;

    public HypercallBuffer Rent(int bytes) => IsTurn() ? throw XenException.For("buffers", error) : inner.Rent(bytes);

    public long Call(HypercallNumber number, ulong argument0 = 0, ulong argument1 = 0, ulong argument2 = 0, ulong argument3 = 0, ulong argument4 = 0)
        => IsTurn() ? -(long)error : inner.Call(number, argument0, argument1, argument2, argument3, argument4);

    public ForeignMapping Map(ushort domain, ReadOnlySpan<ulong> frames, bool isWritable)
        => IsTurn() ? throw XenException.For("mapping of memory", error, domain) : inner.Map(domain, frames, isWritable);

    public ForeignMapping MapResource(ushort domain, ushort type, uint id, uint first, int count)
        => IsTurn() ? throw XenException.For("mapping of a resource", error, domain) : inner.MapResource(domain, type, id, first, count);

    public void Dispose()
    {
    }

    private bool IsTurn() => ++_count == failAt;
}
