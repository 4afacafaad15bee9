// What the state machine needs of the world outside: rings come and go.

namespace Xenod.Xenstore.Machine;

/// <summary>Connects rings. The state machine calls it in the middle of a request, and the journal keeps what it answered.</summary>
internal interface IDomainRings
{
    /// <summary>Maps a domain's ring page and binds its event channel; when the domain is connected already, binds anew and empties the ring.</summary>
    /// <returns>How far the ring has been used, or null when that is not possible.</returns>
    RingPositions? Connect(uint domain, ulong frame, uint port, bool again);

    /// <summary>Lets go of a domain's ring.</summary>
    void Disconnect(uint domain);
}
