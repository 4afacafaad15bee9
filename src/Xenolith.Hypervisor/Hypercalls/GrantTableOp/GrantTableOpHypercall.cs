// grant_table_op: sharing pages between domains.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>
/// Hypercall 20 (public grant_table.h). RDI = operation, RSI = array of its structures, RDX = how many. The result is 0 or an errno
/// about the array; each element says by its own status how it ended.
/// </summary>
internal static class GrantTableOpHypercall
{
    private const int UnmapBatch = 32;

    // Of the batch in work; here because a local of this size is cleared each time.
    private static Releases s_releases;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        if ((int)call.Argument2 < 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        return call.Argument0 switch
        {
            0 => ForEach(ref call, GrantOperation.Map, 32),
            1 => Unmap(ref call, false),
            2 => GrantTableSetup.Single(ref call, GrantOperation.SetupTable),
            4 => ForEach(ref call, GrantOperation.Transfer, 24),
            5 => ForEach(ref call, GrantOperation.Copy, 40),
            6 => GrantTableSetup.Single(ref call, GrantOperation.QuerySize),
            7 => Unmap(ref call, true),
            8 => GrantTableSetup.SetVersion(ref call),
            9 => GrantTableSetup.Single(ref call, GrantOperation.GetStatusFrames),
            10 => GrantTableSetup.GetVersion(ref call),
            11 => ForEach(ref call, GrantOperation.Swap, 12),

            // Devices see what the processor's caches hold on this architecture: nobody needs it.
            12 => HypercallResult.From(XenError.NotSupported),
            _ => HypercallResult.From(XenError.NotImplemented),
        };
    }

    /// <summary>Operations whose elements stand alone. Each is copied once and carried out before the next is looked at.</summary>
    private static HypercallResult ForEach(ref HypercallCall call, GrantOperation operation, ulong bytes)
    {
        Preemption preemption = Preemption.Start();
        uint count = (uint)call.Argument2;
        for (uint done = 0; done < count; done++)
        {
            if (done != 0 && preemption.IsNeeded)
            {
                return ContinueAt(ref call, done, count, bytes);
            }

            GuestAddress at = new(call.Argument1 + (done * bytes));
            bool copied = operation switch
            {
                GrantOperation.Map => TryMap(ref call, at),
                GrantOperation.Transfer => TryTransfer(ref call, at),
                GrantOperation.Copy => TryCopy(ref call, at),
                _ => TrySwap(ref call, at),
            };
            if (!copied)
            {
                return HypercallResult.From(XenError.Fault);
            }
        }

        return HypercallResult.Success;
    }

    private static bool TryMap(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out GrantMap request))
        {
            return false;
        }

        request.Status = (short)GrantMappings.Map(ref call.Vcpu, ref request);

        // The last reference of a frame may have gone with the entry that was replaced.
        TlbClock.Settle();
        return GuestMemory.TryWrite(at, in request);
    }

    private static bool TryTransfer(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out GrantTransfer request))
        {
            return false;
        }

        GrantStatus status = GrantTransfers.Transfer(ref call.Vcpu, in request);
        return GuestMemory.TryWrite(at.Add(GrantTransfer.StatusOffset), (short)status);
    }

    private static bool TryCopy(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out GrantCopy request))
        {
            return false;
        }

        GrantStatus status = GrantCopies.Copy(ref call.Vcpu, in request);
        TlbClock.Settle();
        return GuestMemory.TryWrite(at.Add(GrantCopy.StatusOffset), (short)status);
    }

    private static bool TrySwap(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out GrantSwap request))
        {
            return false;
        }

        ref DomainGrants grants = ref call.Domain.Grants;
        GrantStatus status = GrantStatus.Okay;
        if (request.First >= grants.EntryCount || request.Second >= grants.EntryCount)
        {
            status = GrantStatus.BadReference;
        }
        else if (grants.ActiveAt(request.First).Pins != 0 || grants.ActiveAt(request.Second).Pins != 0)
        {
            status = GrantStatus.Again;
        }
        else
        {
            ref ulong first = ref grants.EntryAt(request.First);
            ref ulong second = ref grants.EntryAt(request.Second);
            ulong moved = first;
            first = second;
            second = moved;
        }

        return GuestMemory.TryWrite(at.Add(GrantSwap.StatusOffset), (short)status);
    }

    /// <summary>
    /// In batches: all entries of a batch are taken out of the page tables, then one flush, then what they held is given back. No
    /// frame loses a reference, and no granting domain sees its entry free, while a translation can still exist.
    /// </summary>
    private static HypercallResult Unmap(ref HypercallCall call, bool replaces)
    {
        const ulong Bytes = 24;
        Preemption preemption = Preemption.Start();
        uint count = (uint)call.Argument2;
        uint done = 0;
        while (done < count)
        {
            if (done != 0 && preemption.IsNeeded)
            {
                return ContinueAt(ref call, done, count, Bytes);
            }

            int batch = (int)Math.Min(count - done, (uint)UnmapBatch);
            int finished = 0;
            bool copied = true;
            while (finished < batch && copied)
            {
                GuestAddress at = new(call.Argument1 + ((done + (uint)finished) * Bytes));
                copied = GuestMemory.TryRead(at, out GrantUnmap request);
                if (copied)
                {
                    ulong newAddress = replaces ? request.BusAddress : 0;
                    request.BusAddress = replaces ? 0 : request.BusAddress;
                    GrantStatus status = GrantMappings.Unmap(ref call.Vcpu, in request, newAddress, out s_releases[finished]);
                    finished++;
                    copied = GuestMemory.TryWrite(at.Add(GrantUnmap.StatusOffset), (short)status);
                }
            }

            TlbClock.Settle();
            for (int i = 0; i < finished; i++)
            {
                GrantMappings.Complete(ref call.Domain, in s_releases[i]);
            }

            if (!copied)
            {
                return HypercallResult.From(XenError.Fault);
            }

            done += (uint)batch;
        }

        return HypercallResult.Success;
    }

    private static HypercallResult ContinueAt(ref HypercallCall call, uint done, uint count, ulong bytes)
    {
        call.Argument1 += done * bytes;
        call.Argument2 = count - done;
        return HypercallResult.Continue;
    }

    [InlineArray(UnmapBatch)]
    private struct Releases
    {
        private GrantRelease _first;
    }
}
