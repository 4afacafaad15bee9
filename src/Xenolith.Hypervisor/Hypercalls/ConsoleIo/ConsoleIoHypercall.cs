// console_io: the machine's console for Domain 0, and lines with a name before them for boot-time domains.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 18. RDI = 0 write or 1 read, RSI = bytes, RDX = buffer. Read gives the number of bytes.</summary>
internal static class ConsoleIoHypercall
{
    private const int ChunkBytes = 128;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        if (!call.Domain.IsPrivileged)
        {
            bool mayWrite = call.Argument0 == 0 && call.Domain.ConsoleSlot != 0;
            return mayWrite ? Write(ref call) : HypercallResult.From(XenError.NotPermitted);
        }

        return call.Argument0 switch
        {
            0 => Write(ref call),
            1 => Read(ref call),
            _ => HypercallResult.From(XenError.NotImplemented),
        };
    }

    private static HypercallResult Write(ref HypercallCall call)
    {
        Preemption preemption = Preemption.Start();
        Span<byte> chunk = stackalloc byte[ChunkBytes];
        uint left = (uint)call.Argument1;
        if (left > int.MaxValue)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        while (left != 0)
        {
            Span<byte> part = chunk.Slice(0, (int)Math.Min(left, ChunkBytes));
            if (!GuestMemory.TryCopyFrom(new GuestAddress(call.Argument2), part))
            {
                return HypercallResult.From(XenError.Fault);
            }

            if (call.Domain.IsPrivileged)
            {
                ConsoleOutput.WritePassing(part);
            }
            else if (!DomainConsoles.TryWrite(ref call.Domain, part))
            {
                Scheduler.Yield(ref call.Vcpu);
                return HypercallResult.Continue;
            }

            left -= (uint)part.Length;
            call.Argument1 = left;
            call.Argument2 += (uint)part.Length;
            if (left != 0 && preemption.IsNeeded)
            {
                return HypercallResult.Continue;
            }
        }

        return HypercallResult.Success;
    }

    private static HypercallResult Read(ref HypercallCall call)
    {
        uint limit = Math.Min((uint)call.Argument1, 1024u);
        uint done = 0;
        while (done < limit && ConsoleInput.TryRead(out byte value))
        {
            if (!GuestMemory.TryWrite(new GuestAddress(call.Argument2 + done), value))
            {
                return HypercallResult.From(XenError.Fault);
            }

            done++;
        }

        return HypercallResult.Done(done);
    }
}
