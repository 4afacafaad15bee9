// Loading a vcpu onto the processor.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Saves what the processor holds of one vcpu and loads another's. General registers need nothing: they are in the contexts.</summary>
internal static class ContextSwitch
{
    /// <summary>Stores the state and leaves the processor to the next vcpu.</summary>
    internal static void Save(ref Vcpu vcpu)
    {
        Store(ref vcpu);
        if ((vcpu.Traps.Dr7 & 0xFF) != 0)
        {
            DebugRegisters.Control = DebugRegisters.ControlReset;
        }
    }

    /// <summary>Copies to memory what only the processor holds; the vcpu can go on.</summary>
    internal static void Store(ref Vcpu vcpu)
    {
        vcpu.Traps.Ds = Segments.Ds;
        vcpu.Traps.Es = Segments.Es;
        vcpu.Traps.Fs = Segments.Fs;
        vcpu.Traps.Gs = Segments.Gs;
        vcpu.Traps.FsBase = Segments.FsBase;
        vcpu.Traps.GsBase = Segments.GsBase;
        FpuSwitch.Save(ref vcpu);
    }

    /// <summary>Stores the state of the vcpu that this processor has loaded, and loads none.</summary>
    internal static void Unload(ref Processor processor)
    {
        Save(ref VcpuTable.At(processor.CurrentVcpu));
        processor.CurrentVcpu = -1;
        processor.LoadedDomain = DomainIds.Invalid;
        Tlb.LoadOwnRoot();
    }

    internal static void Load(ref Vcpu vcpu)
    {
        ref VcpuContext context = ref vcpu.Context;
        ref Processor processor = ref ProcessorTable.Current;
        processor.CurrentVcpu = vcpu.Index;
        processor.LoadedDomain = vcpu.DomainId;
        Descriptors.SetCurrent(ref context);
        Tlb.LoadRoot(context.InKernel != 0 ? context.KernelRoot : context.UserRoot);
        TlbClock.Flushed();
        Descriptors.LoadLdt(vcpu.Index, vcpu.Traps.LdtEntries);

        // Selectors first: loading one replaces the base.
        bool loaded = Segments.TryLoadDs(vcpu.Traps.Ds);
        loaded &= Segments.TryLoadEs(vcpu.Traps.Es);
        loaded &= Segments.TryLoadFs(vcpu.Traps.Fs);
        loaded &= Segments.TryLoadGs(vcpu.Traps.Gs);
        Segments.FsBase = vcpu.Traps.FsBase;
        Segments.GsBase = vcpu.Traps.GsBase;
        ControlRegisters.SetGuestBits(vcpu.Traps.Cr4);
        DebugRegisterEmulation.Load(ref vcpu);
        if (CpuFeatures.HasRdtscp)
        {
            Msrs.Write(Msr.TscAux, vcpu.Traps.TscAux);
        }

        FpuSwitch.Restore(ref vcpu);
        VcpuClock.Update(ref vcpu);
        if (!loaded)
        {
            FailsafeCallback.Request(ref vcpu);
        }
    }
}
