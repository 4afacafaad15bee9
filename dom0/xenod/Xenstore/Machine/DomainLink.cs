// A domain that has been introduced, and how far its ring has been used.

namespace Xenod.Xenstore.Machine;

/// <summary>The domain behind a ring.</summary>
internal sealed class DomainLink
{
    /// <summary>Machine frame of the domain's ring page.</summary>
    public required ulong Frame { get; set; }

    /// <summary>The domain's event channel for the ring.</summary>
    public required uint Port { get; set; }

    /// <summary>The domain has shut down, and its watchers were told so.</summary>
    public bool ShutDown { get; set; }

    /// <summary>Where the positions stand.</summary>
    public RingPositions Positions { get; set; }
}

/// <summary>How far a ring has been used: free-running byte counts, as in the ring page.</summary>
/// <param name="RequestConsumer">Bytes of requests that the server has taken.</param>
/// <param name="ResponseProducer">Bytes of replies and events that the server has put there.</param>
internal readonly record struct RingPositions(uint RequestConsumer, uint ResponseProducer);
