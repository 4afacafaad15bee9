// Event channels where no kernel is.
using System.Collections.Concurrent;
using Xenolith.Abi;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Tests.Support;

/// <summary>Ports that fire when a test says so.</summary>
internal sealed class FakePorts : IEventChannels
{
    private readonly ConcurrentDictionary<(ushort Domain, uint Port), FakePort> _bound = new();

    /// <summary>Ports that are bound.</summary>
    internal int Count => _bound.Count;

    public IEventPort BindInterdomain(ushort domain, uint remotePort)
    {
        FakePort port = new(() => _bound.TryRemove((domain, remotePort), out _));
        return _bound.TryAdd((domain, remotePort), port) ? port : throw XenException.For("bind_interdomain", XenError.Busy, domain);
    }

    public IEventPort BindVirtualIrq(VirtualIrq interrupt) => new FakePort(() => { });

    public IEventPort AllocateUnbound(ushort remote) => new FakePort(() => { });

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The other end has sent an event.</summary>
    internal void Fire(ushort domain, uint port) => _bound[(domain, port)].Fire();

    private sealed class FakePort(Action closed) : IEventPort
    {
        private readonly SemaphoreSlim _events = new(0);
        private readonly CancellationTokenSource _closed = new();

        public uint Number => 1;

        public void Notify()
        {
        }

        public async ValueTask WaitAsync(CancellationToken cancellation)
        {
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _closed.Token);
            try
            {
                await _events.WaitAsync(either.Token);
            }
            catch (OperationCanceledException) when (_closed.IsCancellationRequested)
            {
                throw new ObjectDisposedException(nameof(FakePort));
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _closed.CancelAsync();
            closed();
        }

        internal void Fire() => _events.Release();
    }
}
