// Where the parts of a vcpu's context are.
namespace Xenolith.Abi;

/// <summary>Offsets in struct vcpu_guest_context of a 64-bit domain, and its flags (public arch-x86/xen.h, VGCF_*).</summary>
public static class VcpuGuestContextLayout
{
    public const int Bytes = 5168;
    public const int FloatingPoint = 0;
    public const int FloatingPointBytes = 512;
    public const int Flags = 512;
    public const int Registers = 520;
    public const int Rsi = 624;
    public const int Rdi = 632;
    public const int Rip = 648;
    public const int Cs = 656;
    public const int Rflags = 664;
    public const int Rsp = 672;
    public const int Ss = 680;
    public const int Es = 688;
    public const int Ds = 696;
    public const int Fs = 704;
    public const int Gs = 712;
    public const int TrapTable = 720;
    public const int LdtBase = 4816;
    public const int LdtEntries = 4824;
    public const int GdtFrames = 4832;
    public const int GdtEntries = 4960;
    public const int KernelSs = 4968;
    public const int KernelSp = 4976;
    public const int Cr0 = 4984;
    public const int UserRoot = 4992;
    public const int KernelRoot = 5008;
    public const int Cr4 = 5016;
    public const int DebugRegisters = 5048;
    public const int EventCallback = 5112;
    public const int FailsafeCallback = 5120;
    public const int SyscallCallback = 5128;
    public const int Assists = 5136;
    public const int FsBase = 5144;
    public const int GsBaseKernel = 5152;
    public const int GsBaseUser = 5160;

    public const ulong FloatingPointValid = 1;
    public const ulong InKernel = 4;
    public const ulong FailsafeMasksEvents = 8;
    public const ulong SyscallMasksEvents = 16;
    public const ulong Online = 32;
}
