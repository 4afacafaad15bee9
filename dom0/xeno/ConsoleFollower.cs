// Prints what a domain says until its end.
using Xenolith.Abi;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Consoles;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno;

/// <summary>Serves a new domain's console ring itself, for when no daemon does.</summary>
internal sealed class ConsoleFollower : IAsyncDisposable
{
    // How late the end of a domain may be noticed when another process has the machine's interrupt for it.
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);

    private readonly ControlInterface _control;
    private readonly BuiltDomain _domain;
    private readonly IEventChannels _channels;
    private readonly IEventPort _port;
    private readonly ForeignMapping _page;

    internal ConsoleFollower(ControlInterface control, BuiltDomain domain)
    {
        _control = control;
        _domain = domain;
        _channels = IEventChannels.Open();
        _port = _channels.BindInterdomain(domain.Id, domain.ConsolePort);
        _page = control.Hypervisor.Map(domain.Id, [domain.ConsoleFrame], true);
    }

    /// <summary>Starts the domain and copies its output; gives the reason for its end, null when somebody else has destroyed it.</summary>
    internal async Task<ShutdownReason?> RunAsync(Stream output, CancellationToken cancellation)
    {
        ConsoleRing ring = new(_page.PageMemory(0));
        byte[] bytes = new byte[ConsoleRing.OutputSize];
        _control.Domains.Unpause(_domain.Id);
        while (true)
        {
            // The end is looked for first: what was said before it is then in the ring.
            DomainInformation? info = _control.Domains.Find(_domain.Id);
            int count = ring.Peek(bytes);
            if (count != 0)
            {
                await output.WriteAsync(bytes.AsMemory(0, count), cancellation);
                await output.FlushAsync(cancellation);
                ring.Take(count);
                _port.Notify();
            }
            else if (info is null || info.State.HasFlag(DomainStates.Dying))
            {
                // This process's own mapping may be all that is left of it.
                return null;
            }
            else if (info.State.HasFlag(DomainStates.ShutDown))
            {
                return info.ShutdownReason;
            }
            else
            {
                await WaitAsync(cancellation);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _page.Dispose();
        await _channels.DisposeAsync();
    }

    private async Task WaitAsync(CancellationToken cancellation)
    {
        using CancellationTokenSource look = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        look.CancelAfter(s_look);
        try
        {
            await _port.WaitAsync(look.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Time to look whether it has ended.
        }
    }
}
