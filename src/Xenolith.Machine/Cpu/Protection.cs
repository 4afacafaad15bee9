// Switches on what the processor offers for the hypervisor's protection and speed.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>CR4 and CR0 as the hypervisor wants them, and the SMAP windows of the assembly.</summary>
public static unsafe class Protection
{
    private const uint Stac = 0x00CB010F;
    private const uint Clac = 0x00CA010F;

    /// <summary>The cache-attribute table that PV guests expect (public arch-x86/xen.h): WB, WT, UC-, UC, WC, WP, UC, UC.</summary>
    private const ulong GuestVisiblePat = 0x0000_0501_0007_0406;

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "smap_open_start")] private static extern void OpenStart();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "smap_open_end")] private static extern void OpenEnd();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "smap_close_start")] private static extern void CloseStart();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "smap_close_end")] private static extern void CloseEnd();

    public static bool IsSmepOn { get; private set; }

    public static bool IsSmapOn { get; private set; }

    public static bool ArePagesGlobal { get; private set; }

    /// <summary>
    /// Sets CR4. Global pages stay off on QEMU's translator: it empties its whole TLB at each CR3 write whatever the G bits say, so
    /// there they would only make a complete flush cost twice.
    /// </summary>
    public static void Enable(bool allowSmep, bool allowSmap)
    {
        IsSmepOn = allowSmep && CpuFeatures.HasSmep;
        IsSmapOn = allowSmap && CpuFeatures.HasSmap && !CpuFeatures.IsTcg;
        ArePagesGlobal = CpuFeatures.HasPge && !CpuFeatures.IsTcg;
        if (IsSmapOn)
        {
            Patch((ulong*)(delegate*<void>)&OpenStart, (ulong*)(delegate*<void>)&OpenEnd, Stac);
            Patch((ulong*)(delegate*<void>)&CloseStart, (ulong*)(delegate*<void>)&CloseEnd, Clac);
        }

        EnableSecondary();
    }

    /// <summary>What <see cref="Enable"/> decided, on this processor.</summary>
    internal static void EnableSecondary()
    {
        ulong cr4 = Cr4Bits.PhysicalAddressExtension | Cr4Bits.OsFxsr | Cr4Bits.OsXmmExcept | Cr4Bits.MachineCheckEnable;
        cr4 |= CpuFeatures.HasFsGsBase ? Cr4Bits.FsGsBase : 0;
        cr4 |= CpuFeatures.HasXsave ? Cr4Bits.OsXsave : 0;
        cr4 |= IsSmepOn ? Cr4Bits.SupervisorExecutionPrevention : 0;
        cr4 |= IsSmapOn ? Cr4Bits.SupervisorAccessPrevention : 0;
        cr4 |= ArePagesGlobal ? Cr4Bits.PageGlobalEnable : 0;
        Msrs.Write(Msr.Pat, GuestVisiblePat);
        ControlRegisters.SetCr4(cr4);
        Fpu.Enable();
    }

    private static void Patch(ulong* site, ulong* end, uint instruction)
    {
        // SAFETY: the linker script bounds the table; each site is a three-byte no-op of the assembly, mapped writable at boot.
        for (; site < end; site++)
        {
            byte* at = (byte*)*site;
            at[0] = (byte)instruction;
            at[1] = (byte)(instruction >> 8);
            at[2] = (byte)(instruction >> 16);
        }
    }
}
