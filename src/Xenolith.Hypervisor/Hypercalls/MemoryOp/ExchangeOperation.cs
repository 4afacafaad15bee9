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

        XenError refusal = Check(ref call, in exchange, out ushort id);
        if (refusal != XenError.None)
        {
            return HypercallResult.From(refusal);
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

            XenError error = Once(ref DomainTable.At(id), in exchange, done * inPer, inPer, done * outPer, outPer);
            if (error != XenError.None)
            {
                return StoreCount(ref call, done * inPer) ? HypercallResult.From(error) : HypercallResult.From(XenError.Fault);
            }
        }

        return StoreCount(ref call, exchange.In.ExtentCount) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static bool StoreCount(ref HypercallCall call, ulong count)
        => GuestMemory.TryWrite(new GuestAddress(call.Argument1 + CountOffset), count);

    /// <summary>Errors: NotPermitted (order, domain), Invalid (the two sides do not match), Fault (lists that are not the guest's), NoSuchDomain.</summary>
    private static XenError Check(ref HypercallCall call, in MemoryExchange exchange, out ushort id)
    {
        const ulong Limit = 1UL << 32;
        id = 0;
        if (exchange.In.ExtentOrder > MaximumOrder || exchange.Out.ExtentOrder > MaximumOrder)
        {
            return XenError.NotPermitted;
        }

        int inOrder = (int)exchange.In.ExtentOrder;
        int outOrder = (int)exchange.Out.ExtentOrder;
        ulong perExchange = 1UL << Math.Max(inOrder - outOrder, outOrder - inOrder);
        bool matches = exchange.In.DomainId == exchange.Out.DomainId
            && exchange.In.ExtentCount < Limit && exchange.Out.ExtentCount < Limit
            && exchange.ExchangedCount <= exchange.In.ExtentCount
            && exchange.In.ExtentCount << inOrder == exchange.Out.ExtentCount << outOrder
            && (inOrder > outOrder || (exchange.In.ExtentCount | exchange.ExchangedCount) % perExchange == 0);
        if (!matches)
        {
            return XenError.Invalid;
        }

        if (!new GuestAddress(exchange.In.ExtentStart).IsGuestRange(exchange.In.ExtentCount * 8)
            || !new GuestAddress(exchange.Out.ExtentStart).IsGuestRange(exchange.Out.ExtentCount * 8))
        {
            return XenError.Fault;
        }

        return DomainControl.TryServe(ref call.Domain, exchange.In.DomainId, out id);
    }

    private static XenError Once(ref Domain domain, in MemoryExchange exchange, ulong inFirst, ulong inCount, ulong outFirst, ulong outCount)
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

        Span<ulong> pfns = stackalloc ulong[1 << MaximumOrder];
        for (int i = 0; i < (int)outCount; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(exchange.Out.ExtentStart + ((outFirst + (ulong)i) * 8)), out pfns[i]))
            {
                return XenError.Fault;
            }
        }

        // Every frame must be the domain's and in use by nobody, and none may be named twice.
        for (int i = 0; i < pages; i++)
        {
            if (!DomainFrames.TryClaim(ref domain, new Mfn(leaving[i])))
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
        TlbClock.RequestFlush(domain.Id);
        for (int i = 0; i < pages; i++)
        {
            Mfn frame = new(leaving[i]);
            MachineToPhysical.Set(frame, MachineToPhysical.InvalidEntry);
            DomainFrames.Disown(ref domain);
            FrameAllocator.Free(frame, 0);
        }

        TlbClock.Settle();
        bool isTold = true;
        for (int i = 0; i < (int)outCount; i++)
        {
            GuestAddress slot = new(exchange.Out.ExtentStart + ((outFirst + (ulong)i) * 8));
            for (ulong page = 0; page < 1UL << (int)exchange.Out.ExtentOrder; page++)
            {
                Mfn frame = new(arriving[i] + page);
                PhysicalMemory.Clear(frame);
                DomainFrames.Adopt(ref domain, frame);
                MachineToPhysical.Set(frame, pfns[i] + page);
            }

            isTold &= GuestMemory.TryWrite(slot, arriving[i]);
        }

        return isTold ? XenError.None : XenError.Fault;
    }

    private static void Unclaim(ReadOnlySpan<ulong> frames)
    {
        for (int i = 0; i < frames.Length; i++)
        {
            DomainFrames.Unclaim(new Mfn(frames[i]));
        }
    }
}
