// multicall: a list of hypercalls in one entry.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>
/// Hypercall 13. RDI = entries, RSI = count. Each entry is copied once before it is executed. Results are stored in groups, so that
/// a flush that the entries asked for is made once per group and not before each store.
/// </summary>
internal static class MulticallHypercall
{
    private const int EntryBytes = 64;
    private const int OperationOffset = 0;
    private const int ResultOffset = 8;
    private const int GroupSize = 32;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        if (call.IsInMulticall)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        Preemption preemption = Preemption.Start();
        ulong first = call.Argument0;
        uint count = (uint)call.Argument1;
        uint done = 0;
        while (done < count)
        {
            if (done != 0 && preemption.IsNeeded)
            {
                return ContinueAt(ref call, first, count, done);
            }

            Results results = default;
            uint group = Math.Min(count - done, (uint)GroupSize);
            uint finished = 0;
            XenError error = XenError.None;
            bool interrupted = false;
            bool modeChanged = false;
            while (finished < group && error == XenError.None && !interrupted && !modeChanged)
            {
                ulong address = first + ((ulong)(done + finished) * EntryBytes);
                if (!GuestMemory.TryRead(new GuestAddress(address), out MulticallEntry entry))
                {
                    error = XenError.Fault;
                    break;
                }

                if (entry.Operation == (ulong)HypercallNumber.Iret)
                {
                    IretHypercall.Run(ref call.Vcpu);
                    modeChanged = true;
                    break;
                }

                HypercallResult result = ExecuteEntry(ref call, entry, out HypercallCall inner);
                if (result.IsContinuation)
                {
                    interrupted = true;
                    if (!StoreArguments(address, inner))
                    {
                        error = XenError.Fault;
                    }

                    break;
                }

                results[(int)finished] = result.Value;
                finished++;
            }

            if (modeChanged)
            {
                return HypercallResult.Done((long)call.Vcpu.Context.Registers.Rax);
            }

            TlbClock.Settle();
            for (uint i = 0; i < finished; i++)
            {
                ulong address = first + ((ulong)(done + i) * EntryBytes) + ResultOffset;
                if (!GuestMemory.TryWrite(new GuestAddress(address), results[(int)i]))
                {
                    error = XenError.Fault;
                }
            }

            done += finished;
            if (error != XenError.None)
            {
                return HypercallResult.From(error);
            }

            if (interrupted)
            {
                return ContinueAt(ref call, first, count, done);
            }
        }

        return HypercallResult.Success;
    }

    private static HypercallResult ContinueAt(ref HypercallCall call, ulong first, uint count, uint done)
    {
        call.Argument0 = first + ((ulong)done * EntryBytes);
        call.Argument1 = count - done;
        return HypercallResult.Continue;
    }

    private static HypercallResult ExecuteEntry(ref HypercallCall call, MulticallEntry entry, out HypercallCall inner)
    {
        inner = new HypercallCall(ref call.Vcpu, ref call.Domain)
        {
            Argument0 = entry.Argument0,
            Argument1 = entry.Argument1,
            Argument2 = entry.Argument2,
            Argument3 = entry.Argument3,
            Argument4 = entry.Argument4,
            IsInMulticall = true,
        };
        return HypercallDispatcher.Execute((HypercallNumber)entry.Operation, ref inner);
    }

    /// <summary>A preempted entry is rewritten in the guest's memory, to be continued when the multicall is.</summary>
    private static bool StoreArguments(ulong address, in HypercallCall inner)
    {
        TlbClock.Settle();
        GuestAddress arguments = new(address + OperationOffset + 16);
        return GuestMemory.TryWrite(arguments, inner.Argument0)
            && GuestMemory.TryWrite(arguments.Add(8), inner.Argument1)
            && GuestMemory.TryWrite(arguments.Add(16), inner.Argument2)
            && GuestMemory.TryWrite(arguments.Add(24), inner.Argument3)
            && GuestMemory.TryWrite(arguments.Add(32), inner.Argument4);
    }

    [InlineArray(GroupSize)]
    private struct Results
    {
        private long _first;
    }
}
