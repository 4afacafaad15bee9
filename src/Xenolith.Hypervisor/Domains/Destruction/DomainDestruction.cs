// The end of a domain: everything that it has goes back to whom it belongs.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>
/// A domain is taken apart in stages, each in steps that a preemption can interrupt: its vcpus come to rest, its event channels close, the
/// grants that it has mapped are given back, its vcpus let go of their tables, its memory is freed. What others still hold of it (mapped
/// frames, mapped grants) keeps its slot, as a dead domain, until they let go.
/// </summary>
internal static class DomainDestruction
{
    /// <summary>
    /// Begins to destroy the domain, or goes on. Restart: to be called again. Errors: Invalid (Domain 0, which ends with the machine).
    /// </summary>
    internal static XenError TryAdvance(ref Domain domain, ref Preemption preemption)
    {
        if (domain.Id == DomainIds.Domain0)
        {
            return XenError.Invalid;
        }

        if (domain.State is not (DomainState.Dying or DomainState.Dead))
        {
            Begin(ref domain);
        }

        while (domain.State == DomainState.Dying)
        {
            if (!TryStage(ref domain, ref preemption))
            {
                return XenError.Restart;
            }

            domain.Ending.Stage++;
            domain.Ending.Cursor = 0;
        }

        return XenError.None;
    }

    /// <summary>Something that another domain held of a dead one is gone: the slot is free with the last of it.</summary>
    internal static void OnRelease(ref Domain domain)
    {
        if (domain.State != DomainState.Dead)
        {
            return;
        }

        if (domain.Grants.PinnedEntries == 0 && domain.Grants.HasDirectory)
        {
            // The last page that this frees comes here again.
            GrantTable.Release(ref domain);
        }

        if (domain.State == DomainState.Dead && domain.Memory.OwnedFrames == 0 && domain.Grants.PinnedEntries == 0)
        {
            DomainTable.Release(ref domain);
            DomainEvent.Raise();
        }
    }

    private static void Begin(ref Domain domain)
    {
        domain.State = DomainState.Dying;
        DomainConsoles.Close(ref domain);
        DomainFrames.TryStake(ref domain, 0);
        DomainPause.PauseVcpus(ref domain);
    }

    private static bool TryStage(ref Domain domain, ref Preemption preemption)
    {
        switch (domain.Ending.Stage)
        {
            case DestructionStage.Vcpus: return VcpusEnd.TryStop(ref domain);
            case DestructionStage.EventChannels: return PortClosing.TryCloseAll(ref domain, ref domain.Ending.Cursor, ref preemption);
            case DestructionStage.Mappings: return GrantMappings.TryReleaseAll(ref domain, ref domain.Ending.Cursor, ref preemption);
            case DestructionStage.VcpuState: return VcpusEnd.TryRelease(ref domain, ref preemption);
            case DestructionStage.Memory: return MemoryEnd.TryFree(ref domain, ref preemption);
            default:
                End(ref domain);
                return true;
        }
    }

    /// <summary>The hypervisor's own pages of the domain, and its slot unless somebody still refers to it.</summary>
    private static void End(ref Domain domain)
    {
        domain.Events.Release();
        if (domain.Memory.MapEntries != 0)
        {
            DomainFrames.FreeOwn(domain.Memory.Map);
            domain.Memory.MapEntries = 0;
        }

        DomainFrames.ReleaseShared(domain.SharedInfo);
        domain.State = DomainState.Dead;
        DomainEvent.Raise();
        OnRelease(ref domain);
    }
}
