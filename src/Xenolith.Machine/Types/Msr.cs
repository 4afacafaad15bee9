// The model-specific registers that the hypervisor or its emulation knows by name.
namespace Xenolith.Machine;

/// <summary>Numbers of MSRs (Intel SDM vol. 4; AMD APM vol. 2, appendix A).</summary>
public enum Msr : uint
{
    TimeStampCounter = 0x10,
    PlatformId = 0x17,
    ApicBase = 0x1B,
    MicrocodeRevision = 0x8B,
    PlatformInfo = 0xCE,
    MiscFeaturesEnables = 0x140,
    SysenterCs = 0x174,
    SysenterEsp = 0x175,
    SysenterEip = 0x176,
    McgCap = 0x179,
    McgStatus = 0x17A,
    McgCtl = 0x17B,
    MiscEnable = 0x1A0,
    Pat = 0x277,
    MciCtl0 = 0x400,
    TscDeadline = 0x6E0,
    X2ApicBase = 0x800,
    Efer = 0xC000_0080,
    Star = 0xC000_0081,
    Lstar = 0xC000_0082,
    Cstar = 0xC000_0083,
    SyscallMask = 0xC000_0084,
    FsBase = 0xC000_0100,
    GsBase = 0xC000_0101,
    KernelGsBase = 0xC000_0102,
    TscAux = 0xC000_0103,
}
