// Event channels through Domain 0's kernel.
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Interop;

/// <summary>
/// /dev/xen/evtchn (Linux, include/uapi/xen/evtchn.h). A thread of its own waits in poll, since these files are nothing that the runtime
/// can wait for. The kernel masks a port that it has reported until its number is written back, which happens when a waiter takes the event.
/// </summary>
internal sealed class EventChannelDevice : IEventChannels
{
    private const string Path = "/dev/xen/evtchn";
    private const nuint BindVirqRequest = 0x0004_4500;
    private const nuint BindInterdomainRequest = 0x0008_4501;
    private const nuint BindUnboundRequest = 0x0004_4502;
    private const nuint UnbindRequest = 0x0004_4503;
    private const nuint NotifyRequest = 0x0004_4504;
    private const nuint ResetRequest = 0x0000_4505;
    private const int TooManyEvents = 27;
    private const int PortsAtOnce = 256;

    private readonly SafeFileHandle _file;
    private readonly SafeFileHandle _stop;
    private readonly ConcurrentDictionary<uint, Port> _ports = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isDisposed;

    private EventChannelDevice(SafeFileHandle file, SafeFileHandle stop)
    {
        _file = file;
        _stop = stop;
        Thread thread = new(Run) { IsBackground = true, Name = "event channels" };
        thread.Start();
    }

    internal static EventChannelDevice Open()
    {
        SafeFileHandle file = LibC.Open(Path, LibC.ReadWrite | LibC.NonBlocking);
        if (file.IsInvalid)
        {
            throw new HypervisorUnavailableException(Path, LibC.LastError(), "Run it as root in Domain 0, with the kernel module xen-evtchn (modprobe xen-evtchn).");
        }

        SafeFileHandle stop = new(LibC.EventFile(0, LibC.CloseOnExec), true);
        if (stop.IsInvalid)
        {
            XenError error = LibC.LastError();
            file.Dispose();
            throw XenException.For("eventfd", error);
        }

        return new EventChannelDevice(file, stop);
    }

    public unsafe IEventPort BindInterdomain(ushort domain, uint remotePort)
    {
        uint* arguments = stackalloc uint[] { domain, remotePort };
        return Bind(BindInterdomainRequest, arguments, "binding of an event channel", domain);
    }

    public unsafe IEventPort BindVirtualIrq(VirtualIrq interrupt)
    {
        uint argument = (uint)interrupt;
        return Bind(BindVirqRequest, &argument, $"binding of the virtual interrupt {interrupt}", null);
    }

    public unsafe IEventPort AllocateUnbound(ushort remote)
    {
        uint argument = remote;
        return Bind(BindUnboundRequest, &argument, "allocation of an event channel", remote);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        Wake();
        await _ended.Task.ConfigureAwait(false);
        foreach (Port port in _ports.Values)
        {
            port.Close();
        }

        _ports.Clear();

        // The kernel closes the ports with the file.
        _file.Dispose();
        _stop.Dispose();
    }

    private unsafe void Wake()
    {
        ulong one = 1;
        LibC.Write(_stop, &one, sizeof(ulong));
    }

    private unsafe Port Bind(nuint request, void* arguments, string operation, ushort? domain)
    {
        ObjectDisposedException.ThrowIf(_isDisposed != 0, this);
        int number = LibC.Control(_file, request, arguments);
        if (number == -1)
        {
            throw XenException.For(operation, LibC.LastError(), domain);
        }

        // The kernel may have reported the port before it is in the table here; it stays masked then, and Deliver has kept it.
        Port port = _ports.GetOrAdd((uint)number, static (key, device) => new Port(device, key), this);
        port.Open();
        return port;
    }

    private unsafe void Run()
    {
        uint* ports = stackalloc uint[PortsAtOnce];
        LibC.PollEntry* entries = stackalloc LibC.PollEntry[2];
        entries[0] = new LibC.PollEntry { File = (int)_file.DangerousGetHandle(), Wanted = LibC.PollIn };
        entries[1] = new LibC.PollEntry { File = (int)_stop.DangerousGetHandle(), Wanted = LibC.PollIn };
        while (Volatile.Read(ref _isDisposed) == 0)
        {
            // A signal may end the wait without an event; then the read finds nothing.
            LibC.Poll(entries, 2, -1);
            nint bytes = LibC.Read(_file, ports, PortsAtOnce * sizeof(uint));
            if (bytes > 0)
            {
                Deliver(new ReadOnlySpan<uint>(ports, (int)(bytes / sizeof(uint))));
            }
            else if (bytes < 0 && (int)LibC.LastError() == TooManyEvents)
            {
                LibC.Control(_file, ResetRequest, null);
                foreach (Port port in _ports.Values)
                {
                    port.Signal();
                }
            }
        }

        _ended.SetResult();
    }

    private void Deliver(ReadOnlySpan<uint> ports)
    {
        foreach (uint number in ports)
        {
            _ports.GetOrAdd(number, static (key, device) => new Port(device, key), this).Signal();
        }
    }

    private unsafe void Unmask(uint number) => LibC.Write(_file, &number, sizeof(uint));

    private unsafe void Notify(uint number)
    {
        if (LibC.Control(_file, NotifyRequest, &number) == -1)
        {
            throw XenException.For($"notification of port {number}", LibC.LastError());
        }
    }

    private unsafe void Unbind(uint number)
    {
        if (_ports.TryRemove(number, out _) && _isDisposed == 0)
        {
            LibC.Control(_file, UnbindRequest, &number);
        }
    }

    private sealed class Port(EventChannelDevice device, uint number) : IEventPort
    {
        private readonly Channel<bool> _events = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        private int _isOpen;

        public uint Number => number;

        public void Notify()
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _isOpen) == 0, this);
            device.Notify(number);
        }

        public async ValueTask WaitAsync(CancellationToken cancellation = default)
        {
            try
            {
                await _events.Reader.ReadAsync(cancellation).ConfigureAwait(false);
            }
            catch (ChannelClosedException)
            {
                throw new ObjectDisposedException(nameof(IEventPort), $"port {number} is closed");
            }

            device.Unmask(number);
        }

        public ValueTask DisposeAsync()
        {
            if (Close())
            {
                device.Unbind(number);
            }

            return ValueTask.CompletedTask;
        }

        internal void Open() => Volatile.Write(ref _isOpen, 1);

        internal void Signal() => _events.Writer.TryWrite(true);

        internal bool Close()
        {
            bool wasOpen = Interlocked.Exchange(ref _isOpen, 0) != 0;
            _events.Writer.TryComplete();
            return wasOpen;
        }
    }
}
