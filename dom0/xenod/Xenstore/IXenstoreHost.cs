// What the xenstore server needs of the hypervisor.

namespace Xenod.Xenstore;

/// <summary>
/// The hypervisor as the xenstore server sees it. Called only from the server's thread; the <c>ready</c> actions may be called from any thread
/// and return at once.
/// </summary>
internal interface IXenstoreHost
{
    /// <summary>Domain 0's own ring: maps <c>/proc/xen/xsd_kva</c> and binds the port of <c>/proc/xen/xsd_port</c>.</summary>
    /// <param name="ready">To be called whenever the ring's event channel fires, after it was unmasked.</param>
    /// <returns>Null when this kernel has none.</returns>
    /// <exception cref="IOException">It is there and cannot be had.</exception>
    IDomainRing? ConnectDomain0(Action ready);

    /// <summary>A domain's ring: maps its page by grant reference 1, or else by frame, and binds the domain's port.</summary>
    /// <exception cref="IOException">The domain is gone, or its page or port cannot be had.</exception>
    IDomainRing Connect(uint domain, ulong frame, uint port, Action ready);

    /// <summary>All domains there are. To be asked for again when VIRQ_DOM_EXC fires, which <see cref="XenstoreServer.DomainsChanged"/> is told.</summary>
    /// <exception cref="IOException">The hypervisor does not say.</exception>
    IReadOnlyList<DomainState> ListDomains();
}

/// <summary>A mapped ring page with its event channel; disposing of it unmaps and unbinds.</summary>
internal interface IDomainRing : IDisposable
{
    ISharedPage Page { get; }

    /// <summary>Sends the event channel's event; nothing happens when the domain is gone.</summary>
    void Notify();
}

/// <summary>Memory that a guest writes at the same time.</summary>
internal interface ISharedPage
{
    /// <summary>Reads an aligned 32-bit word at once, before everything that is read afterwards.</summary>
    uint ReadWord(int offset);

    /// <summary>Writes an aligned 32-bit word at once, after everything that was read or written before.</summary>
    void WriteWord(int offset, uint value);

    /// <summary>Copies bytes out.</summary>
    void Read(int offset, Span<byte> destination);

    /// <summary>Copies bytes in.</summary>
    void Write(int offset, ReadOnlySpan<byte> source);
}

/// <summary>What is known of a domain.</summary>
/// <param name="Domain">Its id.</param>
/// <param name="ShutDown">It has shut down (the flag of XEN_DOMCTL_getdomaininfo).</param>
/// <param name="Dying">It is being destroyed.</param>
internal readonly record struct DomainState(uint Domain, bool ShutDown, bool Dying);
