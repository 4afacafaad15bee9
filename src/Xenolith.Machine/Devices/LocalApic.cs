// The local APIC of this processor.
using System.Runtime.Intrinsics.X86;

namespace Xenolith.Machine;

/// <summary>x2APIC by MSR where the processor has it, else xAPIC by memory (Intel SDM vol. 3, "APIC").</summary>
public static class LocalApic
{
    /// <summary>Ids from here on cannot be named in 8 bits; 255 means everybody.</summary>
    private const uint ShortIdEnd = 255;

    private const int IdRegister = 0x20;
    private const int VersionRegister = 0x30;
    private const int TaskPriority = 0x80;
    private const int EndOfInterruptRegister = 0xB0;
    private const int SpuriousVector = 0xF0;
    private const int ErrorStatus = 0x280;
    private const int TimerEntry = 0x320;
    private const int PerformanceEntry = 0x340;
    private const int Line0 = 0x350;
    private const int Line1 = 0x360;
    private const int ErrorEntry = 0x370;
    private const int InitialCount = 0x380;
    private const int CurrentCount = 0x390;
    private const int DivideConfiguration = 0x3E0;
    private const int CommandLow = 0x300;
    private const int CommandHigh = 0x310;
    private const uint InitDelivery = 5 << 8;
    private const uint StartupDelivery = 6 << 8;
    private const uint DeliveryPending = 1 << 12;
    private const uint AssertLevel = 1 << 14;
    private const uint Masked = 1 << 16;
    private const uint NmiDelivery = 4 << 8;
    private const uint SoftwareEnable = 1 << 8;
    private const uint DivideBy1 = 0xB;

    /// <summary>Number of the last entry of the local vector table, where it has one for performance counters.</summary>
    private const uint LastWithPerformance = 4;

    private const ulong GlobalEnable = 1 << 11;
    private const ulong X2ApicEnable = 1 << 10;
    private const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    private static MachineAddress s_base;
    private static bool s_isX2Apic;
    private static uint s_firstId;

    /// <summary>Registers are MSRs, and ids have 32 bits.</summary>
    public static bool IsX2Apic => s_isX2Apic;

    /// <summary>Whether an interrupt can be sent to the processor with that id.</summary>
    public static bool CanReach(uint apicId) => s_isX2Apic ? apicId != uint.MaxValue : apicId < ShortIdEnd;

    /// <summary>
    /// Id of the processor to which devices should send what concerns this one: itself, or the first where it cannot be named in 8 bits,
    /// as IO-APICs and messages have them.
    /// </summary>
    public static uint DeviceTarget
    {
        get
        {
            uint id = Id;
            return id < ShortIdEnd ? id : s_firstId;
        }
    }

    /// <summary>Where its registers lie in physical memory.</summary>
    public static MachineAddress Address => s_base;

    /// <summary>This processor's id, as the IO-APIC names its target.</summary>
    public static uint Id => s_isX2Apic ? Read(IdRegister) : Read(IdRegister) >> 24;

    /// <summary>Enables it with all local sources masked except NMI.</summary>
    public static void Initialize(byte spuriousVector, byte errorVector)
    {
        ulong value = Msrs.Read(Msr.ApicBase);
        s_base = new MachineAddress(value & AddressMask);
        s_isX2Apic = CpuFeatures.HasX2Apic;
        if (!s_isX2Apic)
        {
            Mmio.Map(s_base, 4096);
        }

        Enable(value);
        SetUp(spuriousVector, errorVector);
        s_firstId = Id;
    }

    /// <summary>The same on a further processor, in the mode and at the address of the first.</summary>
    internal static void InitializeSecondary(byte spuriousVector, byte errorVector)
    {
        Enable((Msrs.Read(Msr.ApicBase) & ~AddressMask) | s_base.Value);
        SetUp(spuriousVector, errorVector);
    }

    /// <summary>From off to x2APIC there is only the way over xAPIC, and from x2APIC none back but over off.</summary>
    private static void Enable(ulong value)
    {
        Msrs.Write(Msr.ApicBase, value | GlobalEnable);
        if (s_isX2Apic)
        {
            Msrs.Write(Msr.ApicBase, value | GlobalEnable | X2ApicEnable);
        }
    }

    private static void SetUp(byte spuriousVector, byte errorVector)
    {
        Write(SpuriousVector, SoftwareEnable | spuriousVector);
        Write(TaskPriority, 0);
        Write(TimerEntry, Masked);
        if (((Read(VersionRegister) >> 16) & 0xFF) >= LastWithPerformance)
        {
            Write(PerformanceEntry, Masked);
        }

        Write(Line0, Masked);
        Write(Line1, NmiDelivery);
        Write(ErrorStatus, 0);
        Write(ErrorEntry, errorVector);
        Write(DivideConfiguration, DivideBy1);
        Write(EndOfInterruptRegister, 0);
    }

    /// <summary>An interrupt to the processor with that APIC id.</summary>
    public static void SendInterrupt(uint apicId, byte vector) => SendCommand(apicId, vector);

    internal static void SendInit(uint apicId) => SendCommand(apicId, InitDelivery | AssertLevel);

    internal static void SendStartup(uint apicId, byte page) => SendCommand(apicId, StartupDelivery | AssertLevel | page);

    private static void SendCommand(uint apicId, uint command)
    {
        if (s_isX2Apic)
        {
            // What was written before has to be there when the other comes to look; this write does not wait for it by itself.
            Sse2.MemoryFence();
            Sse2.LoadFence();
            Msrs.Write((Msr)((uint)Msr.X2ApicBase + (CommandLow >> 4)), ((ulong)apicId << 32) | command);
            return;
        }

        while ((Read(CommandLow) & DeliveryPending) != 0)
        {
            Cpu.Pause();
        }

        Write(CommandHigh, apicId << 24);
        Write(CommandLow, command);
    }

    public static void EndOfInterrupt() => Write(EndOfInterruptRegister, 0);

    /// <summary>One interrupt after that many ticks of the timer's clock; 0 stops it.</summary>
    public static void StartTimer(byte vector, uint ticks)
    {
        Write(TimerEntry, vector);
        Write(InitialCount, ticks);
    }

    /// <summary>Lets the counter run from its highest value without an interrupt, to be measured.</summary>
    public static void StartMeasurement()
    {
        Write(TimerEntry, Masked);
        Write(InitialCount, uint.MaxValue);
    }

    /// <summary>Ticks since <see cref="StartMeasurement"/>.</summary>
    public static uint MeasuredTicks => uint.MaxValue - Read(CurrentCount);

    private static uint Read(int register)
        => s_isX2Apic ? (uint)Msrs.Read((Msr)((uint)Msr.X2ApicBase + ((uint)register >> 4))) : Mmio.Read32(s_base.Add((ulong)register));

    private static void Write(int register, uint value)
    {
        if (s_isX2Apic)
        {
            Msrs.Write((Msr)((uint)Msr.X2ApicBase + ((uint)register >> 4)), value);
        }
        else
        {
            Mmio.Write32(s_base.Add((ulong)register), value);
        }
    }
}
