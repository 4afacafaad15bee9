// memory_exchange: frames of the caller for others, contiguous or in a certain range.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>
/// XENMEM_exchange for the caller itself: many order-0 frames in, one larger extent out, or the other way round. Each exchange is all or
/// nothing: first everything is checked and the new frames are allocated, then nothing can fail.
/// </summary>
internal static class ExchangeOperation
{
    private const int MaximumOrder = 9;
    private const int CountOffset = 64;
    private const int AnyAddress = 64;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out MemoryExchange exchange))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (!IsSane(ref call, in exchange))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        // One exchange is one extent of the larger order.
        int inOrder = (int)exchange.In.ExtentOrder;
        int outOrder = (int)exchange.Out.ExtentOrder;
        int order = Math.Max(inOrder, outOrder);
        ulong inPer = 1UL << (order - inOrder);
        ulong outPer = 1UL << (order - outOrder);
        ulong exchanges = exchange.In.ExtentCount / inPer;
        Preemption preemption = Preemption.Start();
        for (ulong done = exchange.ExchangedCount / inPer; done < exchanges; done++)
        {
            if (done != exchange.ExchangedCount / inPer && preemption.IsNeeded)
            {
                return StoreCount(ref call, done * inPer) ? HypercallResult.Continue : HypercallResult.From(XenError.Fault);
            }

            XenError error = Once(ref call, in exchange, done * inPer, inPer, done * outPer, outPer);
            if (error != XenError.None)
            {
                return StoreCount(ref call, done * inPer) ? HypercallResult.From(error) : HypercallResult.From(XenError.Fault);
            }
        }

        return StoreCount(ref call, exchange.In.ExtentCount) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static bool StoreCount(ref HypercallCall call, ulong count)
        => GuestMemory.TryWrite(new GuestAddress(call.Argument1 + CountOffset), count);

    private static bool IsSane(ref HypercallCall call, in MemoryExchange exchange)
    {
        const ulong Limit = 1UL << 32;
        return (exchange.In.DomainId == DomainIds.Self || exchange.In.DomainId == call.Vcpu.DomainId)
            && exchange.Out.DomainId == exchange.In.DomainId
            && exchange.In.ExtentOrder <= MaximumOrder && exchange.Out.ExtentOrder <= MaximumOrder
            && exchange.In.ExtentCount < Limit && exchange.Out.ExtentCount < Limit
            && exchange.ExchangedCount <= exchange.In.ExtentCount
            && exchange.In.ExtentCount << (int)exchange.In.ExtentOrder == exchange.Out.ExtentCount << (int)exchange.Out.ExtentOrder
            && (exchange.In.ExtentCount << (int)exchange.In.ExtentOrder) % (1UL << Math.Max((int)exchange.In.ExtentOrder, (int)exchange.Out.ExtentOrder)) == 0
            && new GuestAddress(exchange.In.ExtentStart).IsGuestRange(exchange.In.ExtentCount * 8)
            && new GuestAddress(exchange.Out.ExtentStart).IsGuestRange(exchange.Out.ExtentCount * 8);
    }

    private static XenError Once(ref HypercallCall call, in MemoryExchange exchange, ulong inFirst, ulong inCount, ulong outFirst, ulong outCount)
    {
        Span<ulong> leaving = stackalloc ulong[1 << MaximumOrder];
        int inPages = 1 << (int)exchange.In.ExtentOrder;
        int pages = (int)inCount * inPages;
        for (ulong i = 0; i < inCount; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(exchange.In.ExtentStart + ((inFirst + i) * 8)), out ulong frame))
            {
                return XenError.Fault;
            }

            for (int page = 0; page < inPages; page++)
            {
                leaving[((int)i * inPages) + page] = frame + (ulong)page;
            }
        }

        // Every frame must be the caller's and in use by nobody, and none may be named twice.
        for (int i = 0; i < pages; i++)
        {
            if (!TryClaim(ref call.Domain, new Mfn(leaving[i])))
            {
                Unclaim(leaving.Slice(0, i));
                return XenError.Invalid;
            }
        }

        int bits = (int)(exchange.Out.MemoryFlags & 0xFF);
        Span<ulong> arriving = stackalloc ulong[1 << MaximumOrder];
        for (int i = 0; i < (int)outCount; i++)
        {
            if (!FrameAllocator.TryAllocate((int)exchange.Out.ExtentOrder, bits == 0 ? AnyAddress : bits, out Mfn first))
            {
                for (int j = 0; j < i; j++)
                {
                    FrameAllocator.Free(new Mfn(arriving[j]), (int)exchange.Out.ExtentOrder);
                }

                Unclaim(leaving.Slice(0, pages));
                return XenError.NoMemory;
            }

            arriving[i] = first.Value;
        }

        // From here on nothing fails.
        TlbClock.RequestFlush();
        for (int i = 0; i < pages; i++)
        {
            Mfn frame = new(leaving[i]);
            MachineToPhysical.Set(frame, MachineToPhysical.InvalidEntry);
            PhysicalMemory.Clear(frame);
            FrameAllocator.Free(frame, 0);
        }

        TlbClock.Settle();
        for (int i = 0; i < (int)outCount; i++)
        {
            GuestAddress slot = new(exchange.Out.ExtentStart + ((outFirst + (ulong)i) * 8));
            GuestMemory.TryRead(slot, out ulong pfn);
            for (ulong page = 0; page < 1UL << (int)exchange.Out.ExtentOrder; page++)
            {
                FrameTable.At(new Mfn(arriving[i] + page)).Assign(call.Vcpu.DomainId, true);
                MachineToPhysical.Set(new Mfn(arriving[i] + page), pfn + page);
            }

            GuestMemory.TryWrite(slot, arriving[i]);
        }

        return XenError.None;
    }

    /// <summary>Takes a frame out of its domain if the allocation is its only reference.</summary>
    private static bool TryClaim(ref Domain domain, Mfn frame)
    {
        if (!FrameTable.IsOwnedBy(frame, domain.Id))
        {
            return false;
        }

        ref FrameInfo info = ref FrameTable.At(frame);
        if (!info.IsAllocated || info.GeneralCount != 1 || info.TypeCount != 0)
        {
            return false;
        }

        info.IsAllocated = false;
        return true;
    }

    private static void Unclaim(ReadOnlySpan<ulong> frames)
    {
        for (int i = 0; i < frames.Length; i++)
        {
            FrameTable.At(new Mfn(frames[i])).IsAllocated = true;
        }
    }
}
