// The ring of a domain's console.
using Xenolith.Toolstack.Consoles;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Hypercalls;

namespace Xenod.Consoles;

/// <summary>Bytes in a console's ring, at one moment.</summary>
/// <param name="FromGuest">Said and not yet logged.</param>
/// <param name="ToGuest">Typed and not yet read by the guest.</param>
internal sealed record ConsoleRingUse(int FromGuest, int ToGuest);

/// <summary>Moves what a domain says from its ring to its log, and what is typed to its ring.</summary>
internal sealed class GuestConsole : IAsyncDisposable
{
    /// <summary>How often in a period the ring is emptied: a domain that only prints gets the rest of Domain 0's time to wait in.</summary>
    private const int RoundsInPeriod = 64;

    private static readonly TimeSpan s_period = TimeSpan.FromMilliseconds(200);

    private readonly ConsoleLog _log;
    private readonly ForeignMapping _page;
    private readonly ConsoleRing _ring;
    private readonly IEventPort _port;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _keyboard = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _pump;
    private TaskCompletionSource _event = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Serves a ring from where it stands.</summary>
    /// <param name="log">Gets what the domain says.</param>
    /// <param name="page">The ring's page; disposed of with this.</param>
    /// <param name="port">The ring's event channel; disposed of with this.</param>
    /// <param name="logged">How many bytes of this ring the log has already, modulo 2^32: a daemon that was killed may have logged some without taking them.</param>
    /// <param name="clock">Measures the periods.</param>
    internal GuestConsole(ConsoleLog log, ForeignMapping page, IEventPort port, uint logged, TimeProvider clock)
    {
        _log = log;
        _page = page;
        _port = port;
        _clock = clock;
        _ring = new ConsoleRing(page.PageMemory(0));
        uint twice = logged - _ring.Consumed;
        if (twice <= _ring.Pending)
        {
            _ring.Take((int)twice);
        }

        _pump = PumpAsync();
    }

    /// <summary>Types, and waits where the domain has no room for it.</summary>
    internal async Task TypeAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        await _keyboard.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            while (!bytes.IsEmpty && !_pump.IsCompleted)
            {
                Task more;
                int count;
                lock (_lock)
                {
                    more = _event.Task;
                    count = _stop.IsCancellationRequested ? 0 : _ring.Write(bytes.Span);
                }

                bytes = bytes[count..];
                if (count > 0)
                {
                    _port.Notify();
                }
                else
                {
                    await more.WaitAsync(cancellation).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _keyboard.Release();
        }
    }

    /// <summary>How full the ring is; null when its page is gone.</summary>
    internal ConsoleRingUse? ReadUse()
    {
        lock (_lock)
        {
            return _stop.IsCancellationRequested ? null : new ConsoleRingUse(_ring.Pending, _ring.Unread);
        }
    }

    /// <summary>Takes what the domain has said last and lets go of its page.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            _page.Dispose();
        }

        await _port.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task PumpAsync()
    {
        await Task.Yield();
        byte[] buffer = new byte[ConsoleRing.OutputSize];
        long start = _clock.GetTimestamp();
        int rounds = 0;
        while (!_stop.IsCancellationRequested)
        {
            if (_clock.GetElapsedTime(start) >= s_period)
            {
                start = _clock.GetTimestamp();
                rounds = 0;
            }

            bool hasSaid = Drain(buffer);
            WakeTypists();
            if (!hasSaid)
            {
                await _port.WaitAsync(_stop.Token).AsTask().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            else if (++rounds >= RoundsInPeriod)
            {
                await Task.Delay(s_period, _clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        Drain(buffer);
        WakeTypists();
    }

    private bool Drain(byte[] buffer)
    {
        lock (_lock)
        {
            int count = _ring.Peek(buffer);
            if (count == 0)
            {
                return false;
            }

            _log.Append(buffer.AsSpan(0, count));
            _ring.Take(count);
        }

        _port.Notify();
        return true;
    }

    private void WakeTypists()
    {
        TaskCompletionSource waiters;
        lock (_lock)
        {
            waiters = _event;
            _event = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiters.SetResult();
    }
}
