// Twin of Cpu/Protection.cs: nothing is patched.
namespace Xenolith.Machine;

/// <summary>CR4 as the hypervisor wants it.</summary>
public static class Protection
{
    public static bool IsSmepOn { get; private set; }

    public static bool IsSmapOn { get; private set; }

    public static bool ArePagesGlobal { get; private set; }

    public static void Enable(bool allowSmep, bool allowSmap)
    {
        IsSmepOn = allowSmep && CpuFeatures.HasSmep;
        IsSmapOn = allowSmap && CpuFeatures.HasSmap && !CpuFeatures.IsTcg;
        ArePagesGlobal = CpuFeatures.HasPge && !CpuFeatures.IsTcg;
        ulong cr4 = Cr4Bits.PhysicalAddressExtension | Cr4Bits.OsFxsr | Cr4Bits.OsXmmExcept | Cr4Bits.MachineCheckEnable;
        cr4 |= CpuFeatures.HasFsGsBase ? Cr4Bits.FsGsBase : 0;
        cr4 |= CpuFeatures.HasXsave ? Cr4Bits.OsXsave : 0;
        cr4 |= IsSmepOn ? Cr4Bits.SupervisorExecutionPrevention : 0;
        cr4 |= IsSmapOn ? Cr4Bits.SupervisorAccessPrevention : 0;
        cr4 |= ArePagesGlobal ? Cr4Bits.PageGlobalEnable : 0;

        // The loaded value is cached by ControlRegisters and survives a reset of the fake processor.
        ControlRegisters.SetCr4(cr4);
        FakeCpu.Cr4 = cr4;
        Fpu.Enable();
    }
}
