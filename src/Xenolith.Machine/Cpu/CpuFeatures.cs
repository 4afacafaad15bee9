// What this machine's processors can do, asked once at boot.
namespace Xenolith.Machine;

/// <summary>Features that the hypervisor decides by.</summary>
public static class CpuFeatures
{
    private const uint TcgSignatureEbx = 0x54474354;

    public static bool IsAmd { get; private set; }

    public static bool IsIntel { get; private set; }

    /// <summary>The processor is QEMU's translator (CPUID 0x40000000 says TCGTCGTCGTCG).</summary>
    public static bool IsTcg { get; private set; }

    public static bool HasNx { get; private set; }

    public static bool HasGbPages { get; private set; }

    public static bool HasRdtscp { get; private set; }

    public static bool HasInvariantTsc { get; private set; }

    public static bool HasX2Apic { get; private set; }

    public static bool HasXsave { get; private set; }

    public static bool HasXsaveOptimized { get; private set; }

    public static bool HasPge { get; private set; }

    public static bool HasPcid { get; private set; }

    public static bool HasFsGsBase { get; private set; }

    public static bool HasSmep { get; private set; }

    public static bool HasSmap { get; private set; }

    public static bool HasTscDeadline { get; private set; }

    /// <summary>Width of physical addresses in bits.</summary>
    public static int PhysicalAddressBits { get; private set; } = 36;

    /// <summary>XCR0 bits that guests may use: x87, SSE, AVX and AVX-512 state as far as the processor has them.</summary>
    public static ulong XsaveMask { get; private set; }

    /// <summary>Fills in the features; called once, before anything asks.</summary>
    public static void Detect()
    {
        CpuIdResult vendor = CpuId.Query(0);
        IsAmd = vendor.Ebx == 0x68747541;
        IsIntel = vendor.Ebx == 0x756E6547;
        CpuIdResult basic = CpuId.Query(1);
        HasX2Apic = Bit(basic.Ecx, 21);
        HasTscDeadline = Bit(basic.Ecx, 24);
        HasXsave = Bit(basic.Ecx, 26);
        HasPcid = Bit(basic.Ecx, 17);
        HasPge = Bit(basic.Edx, 13);
        if (Bit(basic.Ecx, 31))
        {
            IsTcg = CpuId.Query(0x4000_0000).Ebx == TcgSignatureEbx;
        }

        if (vendor.Eax >= 7)
        {
            CpuIdResult extended = CpuId.Query(7);
            HasFsGsBase = Bit(extended.Ebx, 0);
            HasSmep = Bit(extended.Ebx, 7);
            HasSmap = Bit(extended.Ebx, 20);
        }

        uint highest = CpuId.Query(0x8000_0000).Eax;
        CpuIdResult amd = CpuId.Query(0x8000_0001);
        HasNx = Bit(amd.Edx, 20);
        HasGbPages = Bit(amd.Edx, 26);
        HasRdtscp = Bit(amd.Edx, 27);
        HasInvariantTsc = highest >= 0x8000_0007 && Bit(CpuId.Query(0x8000_0007).Edx, 8);
        PhysicalAddressBits = highest >= 0x8000_0008 ? (int)(CpuId.Query(0x8000_0008).Eax & 0xFF) : 36;
        if (HasXsave && vendor.Eax >= 0xD)
        {
            const ulong GuestState = 0xE7;
            XsaveMask = CpuId.Query(0xD).Eax & GuestState;
            HasXsaveOptimized = Bit(CpuId.Query(0xD, 1).Eax, 0);
        }
    }

    private static bool Bit(uint word, int bit) => ((word >> bit) & 1) != 0;
}
