// platform_op: the machine's firmware, clock and power for Domain 0.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 7 (public platform.h). RDI = struct xen_platform_op.</summary>
internal static class PlatformOpHypercall
{
    private const uint InterfaceVersion = 0x0300_0001;
    private const ulong UnionOffset = 8;
    private const uint KeyboardShiftFlags = 5;
    private const uint SleepStateOff = 5;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        if (!call.Domain.IsPrivileged)
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        GuestAddress at = new(call.Argument0);
        if (!GuestMemory.TryRead(at, out ulong header))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (header >> 32 != InterfaceVersion)
        {
            return HypercallResult.From(XenError.AccessDenied);
        }

        GuestAddress body = at.Add(UnionOffset);
        return (uint)header switch
        {
            17 => SetTime32(body),

            // Memory types of the processor (add, delete) and its microcode are the firmware's; processors neither come nor go.
            31 or 32 or 35 or (>= 56 and <= 59) => HypercallResult.From(XenError.NotSupported),
            33 => ProcessorQueries.ReadMemoryType(body),
            48 => ProcessorQueries.GetVersion(body),
            53 => ProcessorQueries.GetIdleTime(body),
            50 => FirmwareInfo(body),
            51 => EnterSleep(body),
            55 => GetCpuInfo(body),
            62 => SetTime64(body),
            _ => HypercallResult.From(XenError.NotImplemented),
        };
    }

    private static HypercallResult SetTime32(GuestAddress body)
    {
        if (!GuestMemory.TryRead(body, out ulong time) || !GuestMemory.TryRead(body.Add(8), out ulong systemTime))
        {
            return HypercallResult.From(XenError.Fault);
        }

        return SetTime((uint)time, (uint)(time >> 32), systemTime);
    }

    private static HypercallResult SetTime64(GuestAddress body)
    {
        if (!GuestMemory.TryRead(body, out ulong seconds) || !GuestMemory.TryRead(body.Add(8), out ulong nanoseconds)
            || !GuestMemory.TryRead(body.Add(16), out ulong systemTime))
        {
            return HypercallResult.From(XenError.Fault);
        }

        // The upper half of the second word must be zero.
        return nanoseconds >> 32 != 0 ? HypercallResult.From(XenError.Invalid) : SetTime(seconds, (uint)nanoseconds, systemTime);
    }

    private static HypercallResult SetTime(ulong seconds, uint nanoseconds, ulong systemTime)
    {
        if (nanoseconds >= 1_000_000_000 || systemTime / 1_000_000_000 > seconds)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        VcpuClock.SetWall(seconds, nanoseconds, systemTime);
        return HypercallResult.Success;
    }

    /// <summary>A multiboot loader leaves no BIOS data behind: only the keyboard's shift state is known, as none pressed.</summary>
    private static HypercallResult FirmwareInfo(GuestAddress body)
    {
        if (!GuestMemory.TryRead(body, out uint type))
        {
            return HypercallResult.From(XenError.Fault);
        }

        switch (type)
        {
            case 1 or 2 or 3: return HypercallResult.From(XenError.NoSuchDomain);
            case KeyboardShiftFlags: return GuestMemory.TryWrite(body.Add(8), (byte)0) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }

    private static HypercallResult EnterSleep(GuestAddress body)
    {
        if (!GuestMemory.TryRead(body, out ulong values) || !GuestMemory.TryRead(body.Add(8), out uint flags))
        {
            return HypercallResult.From(XenError.Fault);
        }

        uint state = (uint)(values >> 32);
        if (state != SleepStateOff || flags != 0)
        {
            return HypercallResult.From(XenError.NotSupported);
        }

        Log.Always("power"u8).Text("off, by ACPI"u8).End();
        Console.ConsoleOutput.EndBuffering();
        PowerPorts.SleepWith((ushort)values, (ushort)(values >> 16));
        return HypercallResult.Success;
    }

    private static HypercallResult GetCpuInfo(GuestAddress body)
    {
        const uint Online = 1;
        const uint Invalid = 2;
        if (!GuestMemory.TryRead(body, out uint id))
        {
            return HypercallResult.From(XenError.Fault);
        }

        bool exists = id < (uint)ProcessorTable.Count;
        bool done = GuestMemory.TryWrite(body.Add(4), (uint)ProcessorTable.Count - 1)
            && GuestMemory.TryWrite(body.Add(8), exists ? Online : Invalid)
            && GuestMemory.TryWrite(body.Add(12), exists ? LocalApic.Id : 0)
            && GuestMemory.TryWrite(body.Add(16), exists ? id : 0);
        return done ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }
}
