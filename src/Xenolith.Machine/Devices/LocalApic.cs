// The local APIC of this processor.
namespace Xenolith.Machine;

/// <summary>xAPIC by memory or x2APIC by MSR, whichever the firmware left on (Intel SDM vol. 3, "APIC").</summary>
public static class LocalApic
{
    private const int IdRegister = 0x20;
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
    private const ulong GlobalEnable = 1 << 11;
    private const ulong X2ApicEnable = 1 << 10;
    private const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    private static MachineAddress s_base;
    private static bool s_isX2Apic;

    /// <summary>Where its registers lie in physical memory.</summary>
    public static MachineAddress Address => s_base;

    /// <summary>This processor's id, as the IO-APIC names its target.</summary>
    public static uint Id => s_isX2Apic ? Read(IdRegister) : Read(IdRegister) >> 24;

    /// <summary>Enables it with all local sources masked except NMI.</summary>
    public static void Initialize(byte spuriousVector, byte errorVector)
    {
        ulong value = Msrs.Read(Msr.ApicBase);
        s_base = new MachineAddress(value & AddressMask);
        s_isX2Apic = (value & X2ApicEnable) != 0;
        Msrs.Write(Msr.ApicBase, value | GlobalEnable);
        if (!s_isX2Apic)
        {
            Mmio.Map(s_base, 4096);
        }

        SetUp(spuriousVector, errorVector);
    }

    /// <summary>The same on a further processor, in the mode and at the address of the first.</summary>
    internal static void InitializeSecondary(byte spuriousVector, byte errorVector)
    {
        Msrs.Write(Msr.ApicBase, (Msrs.Read(Msr.ApicBase) & 0xFFF) | s_base.Value | GlobalEnable | (s_isX2Apic ? X2ApicEnable : 0));
        SetUp(spuriousVector, errorVector);
    }

    private static void SetUp(byte spuriousVector, byte errorVector)
    {
        Write(SpuriousVector, SoftwareEnable | spuriousVector);
        Write(TaskPriority, 0);
        Write(TimerEntry, Masked);
        Write(PerformanceEntry, Masked);
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
