// The hypervisor of this machine for the xenstore server.

using System.Globalization;
using System.Runtime.InteropServices;
using Xenolith.Abi;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Grants;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.Toolstack.Interop;

namespace Xenod.Xenstore;

/// <summary>Maps rings and binds their event channels. A page is mapped by the grant that builders leave for it, or else by its frame.</summary>
/// <param name="control">The hypervisor.</param>
/// <param name="grants">Mapping by grant; null when the kernel does not offer it.</param>
/// <param name="channels">Domain 0's event channels.</param>
internal sealed class XenstoreHost(ControlInterface control, IGrants? grants, IEventChannels channels) : IXenstoreHost
{
    private const string PortFile = "/proc/xen/xsd_port";

    /// <summary>The grant reference of a domain's xenstore page (public header grant_table.h, GNTTAB_RESERVED_XENSTORE).</summary>
    private const uint RingReference = 1;

    public IDomainRing? ConnectDomain0(Action ready)
    {
        if (!File.Exists(PortFile) || !uint.TryParse(File.ReadAllText(PortFile).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out uint port))
        {
            return null;
        }
        return Bind(KernelRingPage.Open(), 0, port, ready);
    }

    public IDomainRing Connect(uint domain, ulong frame, uint port, Action ready) => Bind(Map((ushort)domain, frame), (ushort)domain, port, ready);

    public IReadOnlyList<DomainState> ListDomains()
    {
        try
        {
            return [.. control.Domains.List().Select(domain => new DomainState(domain.Id, domain.ShutdownReason is not null, (domain.State & DomainStates.Dying) != 0))];
        }
        catch (XenException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    private ForeignMapping Map(ushort domain, ulong frame)
    {
        try
        {
            if (grants is not null)
            {
                return grants.Map(domain, [RingReference], isWritable: true);
            }
        }
        catch (XenException)
        {
            // Its builder left no grant; then the frame that the toolstack names is the only way.
        }
        try
        {
            return control.Hypervisor.Map(domain, [frame], isWritable: true);
        }
        catch (XenException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    private Ring Bind(ForeignMapping page, ushort domain, uint port, Action ready)
    {
        try
        {
            return new Ring(page, channels.BindInterdomain(domain, port), ready);
        }
        catch (XenException e)
        {
            page.Dispose();
            throw new IOException(e.Message, e);
        }
    }

    private sealed class Ring : IDomainRing, ISharedPage
    {
        private readonly ForeignMapping _mapping;
        private readonly Memory<byte> _memory;
        private readonly IEventPort _port;
        private readonly CancellationTokenSource _stop = new();

        public Ring(ForeignMapping mapping, IEventPort port, Action ready)
        {
            _mapping = mapping;
            _memory = mapping.PageMemory(0);
            _port = port;
            _ = ListenAsync(ready);
        }

        public ISharedPage Page => this;

        public void Notify()
        {
            try
            {
                _port.Notify();
            }
            catch (XenException)
            {
                // The domain is gone; that it is will be said by the hypervisor.
            }
        }

        public uint ReadWord(int offset) => Volatile.Read(ref Word(offset));

        public void WriteWord(int offset, uint value) => Volatile.Write(ref Word(offset), value);

        public void Read(int offset, Span<byte> destination) => _memory.Span.Slice(offset, destination.Length).CopyTo(destination);

        public void Write(int offset, ReadOnlySpan<byte> source) => source.CopyTo(_memory.Span[offset..]);

        public void Dispose()
        {
            _stop.Cancel();
            // Closing takes no time; nobody waits for what the domain might still say.
            _port.DisposeAsync().AsTask().GetAwaiter().GetResult();
            _mapping.Dispose();
            _stop.Dispose();
        }

        private ref uint Word(int offset) => ref MemoryMarshal.AsRef<uint>(_memory.Span.Slice(offset, sizeof(uint)));

        private async Task ListenAsync(Action ready)
        {
            try
            {
                CancellationToken cancellation = _stop.Token;
                while (true)
                {
                    await _port.WaitAsync(cancellation).ConfigureAwait(false);
                    ready();
                }
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
            }
        }
    }
}
