// Messages through the kernel's own connection: /dev/xen/xenbus.

using System.Threading.Channels;
using Microsoft.Win32.SafeHandles;
using Xenolith.Toolstack.Interop;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>
/// The device takes whole messages, and blocks readers that no signal ends. So a thread waits for it and for a counter that closing raises.
/// The kernel answers watches itself, and says their failures by the error number of the write.
/// </summary>
internal sealed class DeviceTransport : IXenstoreTransport
{
    private readonly SafeFileHandle _device;
    private readonly SafeFileHandle _stop = Descriptor.Event();
    private readonly Channel<byte[]> _received = Channel.CreateUnbounded<byte[]>(new() { SingleReader = true, SingleWriter = true });
    private readonly Thread _reader;
    private ReadOnlyMemory<byte> _rest;

    public DeviceTransport(SafeFileHandle device)
    {
        _device = device;
        _reader = new Thread(ReadAll) { IsBackground = true, Name = "xenbus" };
        _reader.Start();
    }

    public static DeviceTransport Open(string path)
    {
        int descriptor = Descriptor.Open(path);
        return descriptor >= 0
            ? new DeviceTransport(new SafeFileHandle(descriptor, ownsHandle: true))
            : throw new XenstoreConnectionException($"{path} does not open (error {-descriptor}): is this Domain 0, running as root, and does the xenstore server run?");
    }

    public ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        int written = Descriptor.Write(_device, message.Span);
        if (written == message.Length)
        {
            return ValueTask.CompletedTask;
        }
        throw written < 0 ? new XenstoreRefusal(OfNumber(-written)) : new IOException("the kernel took only a part of a xenstore message");
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        if (_rest.IsEmpty)
        {
            if (!await _received.Reader.WaitToReadAsync(cancellation).ConfigureAwait(false) || !_received.Reader.TryRead(out byte[]? next))
            {
                return 0;
            }
            _rest = next;
        }
        int length = Math.Min(buffer.Length, _rest.Length);
        _rest[..length].CopyTo(buffer);
        _rest = _rest[length..];
        return length;
    }

    public ValueTask DisposeAsync()
    {
        Descriptor.Write(_stop, [1, 0, 0, 0, 0, 0, 0, 0]);
        _reader.Join();
        _stop.Dispose();
        _device.Dispose();
        return ValueTask.CompletedTask;
    }

    private void ReadAll()
    {
        byte[] buffer = new byte[XenstoreHeader.Size + XenstoreHeader.MaximumPayload];
        PollEntry[] entries = [new((int)_device.DangerousGetHandle(), PollEvents.Input), new((int)_stop.DangerousGetHandle(), PollEvents.Input)];
        while (true)
        {
            int ready = Descriptor.Poll(entries, -1);
            if (ready < 0 || entries[1].Returned != PollEvents.None)
            {
                break;
            }
            if (entries[0].Returned == PollEvents.None)
            {
                continue;
            }
            int length = Descriptor.Read(_device, buffer);
            if (length == -Descriptor.TryAgain)
            {
                continue;
            }
            if (length <= 0)
            {
                break;
            }
            _received.Writer.TryWrite(buffer[..length]);
        }
        _received.Writer.TryComplete();
    }

    // Linux's numbers of the protocol's errors.
    private static XenstoreError OfNumber(int number) => number switch
    {
        1 => XenstoreError.EPERM,
        2 => XenstoreError.ENOENT,
        5 => XenstoreError.EIO,
        7 => XenstoreError.E2BIG,
        11 => XenstoreError.EAGAIN,
        12 => XenstoreError.ENOMEM,
        13 => XenstoreError.EACCES,
        16 => XenstoreError.EBUSY,
        17 => XenstoreError.EEXIST,
        21 => XenstoreError.EISDIR,
        22 => XenstoreError.EINVAL,
        28 => XenstoreError.ENOSPC,
        30 => XenstoreError.EROFS,
        38 => XenstoreError.ENOSYS,
        39 => XenstoreError.ENOTEMPTY,
        106 => XenstoreError.EISCONN,
        _ => XenstoreError.EIO,
    };
}
