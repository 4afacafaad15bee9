// Domain 0's event channels.
using Xenolith.Abi;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.EventChannels;

/// <summary>
/// Ports of this process. <see cref="Open"/> gives those of the machine; tests put others in their place. All members may be called from
/// any thread. Disposing of it closes all its ports.
/// </summary>
public interface IEventChannels : IAsyncDisposable
{
    /// <summary>The machine's, through /dev/xen/evtchn.</summary>
    /// <exception cref="HypervisorUnavailableException">There is none, or this is not Domain 0's root.</exception>
    static IEventChannels Open() => Interop.EventChannelDevice.Open();

    /// <summary>Connects to a port that a domain has left open for this one.</summary>
    /// <exception cref="XenException">It is not open, or connected already.</exception>
    IEventPort BindInterdomain(ushort domain, uint remotePort);

    /// <summary>Takes a virtual interrupt of the machine; only one process can have it.</summary>
    /// <exception cref="XenException">Another process has it.</exception>
    IEventPort BindVirtualIrq(VirtualIrq interrupt);

    /// <summary>Makes a port that a domain can connect to.</summary>
    IEventPort AllocateUnbound(ushort remote);
}

/// <summary>One end of an event channel.</summary>
public interface IEventPort : IAsyncDisposable
{
    /// <summary>Its number in this domain.</summary>
    uint Number { get; }

    /// <summary>Sends an event to the other end.</summary>
    void Notify();

    /// <summary>
    /// Waits for the next event. Events that come before somebody waits count as one. Whoever has waited looks at what the event is
    /// about; what comes after that look ends the next wait.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The port is closed.</exception>
    ValueTask WaitAsync(CancellationToken cancellation = default);
}
