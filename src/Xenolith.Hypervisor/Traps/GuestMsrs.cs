// Model-specific registers as a PV guest's kernel sees them.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot.Building;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>RDMSR and WRMSR of kernel mode. Unknown registers are refused; the guest then gets #GP.</summary>
internal static class GuestMsrs
{
    private const int GeneralProtection = 13;
    private const ulong PatValue = 0x0000_0501_0007_0406;
    private const ulong ApicBaseValue = 0xFEE0_0800;
    private const ulong BootProcessor = 0x100;
    private const ulong LfenceSerializing = 2;

    /// <summary>Named by CPUID leaf 0x40000002: a write has the hypercall stubs put into the frame at that address.</summary>
    private const uint HypercallPage = 0x4000_0000;

    internal static bool TryRead(ref Vcpu vcpu, uint msr, out ulong value)
    {
        value = 0;
        switch (msr)
        {
            case (uint)Msr.FsBase: value = Segments.FsBase; return true;
            case (uint)Msr.GsBase: value = Segments.GsBase; return true;
            case (uint)Msr.KernelGsBase: value = vcpu.Context.UserGsBase; return true;
            case (uint)Msr.Efer: value = Msrs.Read(Msr.Efer) & ~(1UL << 12); return true;
            case (uint)Msr.TscAux: value = vcpu.Traps.TscAux; return true;
            case (uint)Msr.TimeStampCounter: value = Tsc.Read(); return true;
            case (uint)Msr.ApicBase: value = ApicBaseValue | (vcpu.Id == 0 ? BootProcessor : 0); return true;
            case (uint)Msr.Pat: value = PatValue; return true;
            case (uint)Msr.McgCap: value = 2; return true;
            case 0xC001_1029: value = LfenceSerializing; return true;
            case (uint)Msr.MicrocodeRevision or (uint)Msr.PlatformId or (uint)Msr.PlatformInfo or (uint)Msr.MiscFeaturesEnables
                or (uint)Msr.McgStatus or (uint)Msr.McgCtl or (>= 0x400 and <= 0x407) or 0xC001_0015 or 0xC001_001F
                or (>= 0xC001_0000 and <= 0xC001_0007) or (>= 0xC001_0200 and <= 0xC001_020B) or (>= 0xC001_0061 and <= 0xC001_006B):
                return true;
            case (uint)Msr.MiscEnable:
                return CpuFeatures.IsIntel && Msrs.TryRead(msr, out value);
            case HypercallPage:
                return true;
            default:
                // A kernel without a #GP handler yet cannot survive the refusal.
                return vcpu.Traps.Table[GeneralProtection].Address == 0 || vcpu.Domain.Settings.RelaxedMsrs;
        }
    }

    internal static bool TryWrite(ref Vcpu vcpu, uint msr, ulong value)
    {
        switch (msr)
        {
            case (uint)Msr.FsBase:
            case (uint)Msr.GsBase:
                if (!GuestAddress.IsCanonical(value))
                {
                    return false;
                }

                if (msr == (uint)Msr.FsBase)
                {
                    Segments.FsBase = value;
                }
                else
                {
                    Segments.GsBase = value;
                }

                return true;
            case (uint)Msr.KernelGsBase:
                if (!GuestAddress.IsCanonical(value))
                {
                    return false;
                }

                vcpu.Context.UserGsBase = value;
                return true;
            case (uint)Msr.Efer: return value == (Msrs.Read(Msr.Efer) & ~(1UL << 12));
            case (uint)Msr.TscAux:
                vcpu.Traps.TscAux = (uint)value;
                if (CpuFeatures.HasRdtscp)
                {
                    Msrs.Write(Msr.TscAux, (uint)value);
                }

                return true;
            case (uint)Msr.Pat: return value == PatValue;
            case HypercallPage: return TryFillHypercallPage(ref vcpu, value);
            case (uint)Msr.MicrocodeRevision or (uint)Msr.McgStatus or (uint)Msr.McgCtl or (>= 0x400 and <= 0x407)
                or 0xC001_0015 or 0xC001_001F or 0xC001_1029 or (>= 0xC001_0000 and <= 0xC001_0007)
                or (>= 0xC001_0200 and <= 0xC001_020B) or (>= 0xC001_0058 and <= 0xC001_006B)
                or 0xE7 or 0xE8 or 0x19A or 0x1B0 or (uint)Msr.MiscEnable:
                return true;
            default:
                return false;
        }
    }

    /// <summary>There is one page, number 0; the frame must be one that the guest may write to.</summary>
    private static bool TryFillHypercallPage(ref Vcpu vcpu, ulong value)
    {
        Mfn frame = new MachineAddress(value).Frame;
        if ((value & 0xFFF) != 0 || PageTypes.TryTakeWritable(ref vcpu.Domain, frame) != XenError.None)
        {
            return false;
        }

        KernelLoader.FillHypercallPage(PhysicalMemory.Bytes(frame));
        PageTypes.DropLeaf(frame);
        return true;
    }
}
