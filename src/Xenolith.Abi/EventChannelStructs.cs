// Structures of event_channel_op and sched_op that a control domain uses.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>EVTCHNOP_* (public event_channel.h).</summary>
public enum EventChannelCommand : uint
{
    BindInterdomain = 0, BindVirtualIrq = 1, BindPhysicalIrq = 2, Close = 3, Send = 4, Status = 5, AllocateUnbound = 6, BindIpi = 7,
    BindVcpu = 8, Unmask = 9, Reset = 10,
}

/// <summary>struct evtchn_alloc_unbound, 8 bytes (public event_channel.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct AllocateUnboundPort
{
    public ushort DomainId;
    public ushort RemoteDomainId;
    public uint Port;
}

/// <summary>SCHEDOP_* (public sched.h).</summary>
public enum SchedulerCommand : uint
{
    Yield = 0, Block = 1, Shutdown = 2, Poll = 3, RemoteShutdown = 4, ShutdownCode = 5, Watchdog = 6,
}

/// <summary>struct sched_remote_shutdown, 8 bytes (public sched.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
public struct RemoteShutdown
{
    [FieldOffset(0)] public ushort DomainId;
    [FieldOffset(4)] public uint Reason;
}
