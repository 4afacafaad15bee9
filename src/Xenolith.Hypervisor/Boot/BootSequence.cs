// From the boot loader to the first instruction of a domain.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot.Domain0;
using Xenolith.Hypervisor.Boot.Guests;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Options;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot;

/// <summary>Brings the parts up in the order in which they need each other.</summary>
public static class BootSequence
{
    private const uint MultibootMagic = 0x2BAD_B002;

    /// <summary>Boots; does not return.</summary>
    public static void Run(uint magic, ulong informationAddress)
    {
        HypervisorLock.Enter();
        SystemTime.Begin();
        Uart.TryInitialize(BootOptions.SerialBase, BootOptions.SerialRate);
        CpuFeatures.Detect();
        Log.Line("boot"u8).Text("Xenolith, a hypervisor for Xen PV guests; build "u8).Hex(Symbols.BuildId, 16).End();
        if (magic != MultibootMagic)
        {
            BootFailure.Stop("the boot loader does not speak Multiboot 1; load the file as GRUB's 'multiboot' or QEMU's '-kernel' does"u8);
        }

        if (!BootInformation.TryRead(informationAddress))
        {
            BootFailure.Stop("the boot loader gave no usable memory map"u8);
        }

        ReadOptions();
        ReadTables();
        SetUpMemory();
        SetUpDevices();
        BuildDomains();
        Start();
    }

    private static void BuildDomains()
    {
        BootModules.RequireKernel();
        bool hasDomain0 = BootModules.HasKernel;
        if (hasDomain0)
        {
            Domain0Builder.Unpack();
        }

        GuestBuilder.PlanRestarts();
        BootMemory.GiveToAllocator();
        ulong kept = hasDomain0 ? Domain0Builder.Begin() : 0;
        GuestBuilder.BuildAll(kept, hasDomain0 ? Domain0Builder.ReturnedFrames : 0);
        if (hasDomain0)
        {
            Domain0Builder.Build();
        }
        else if (GuestBuilder.Built == 0)
        {
            BootFailure.Stop("there is no Domain 0, and no other domain could be built"u8);
        }

        Log.Line("boot"u8).Text(hasDomain0 ? "Domain 0 starts "u8 : "the domains start "u8).Decimal(SystemTime.Now() / 1_000_000)
            .Text(" ms after the hypervisor"u8).End();
    }

    private static void ReadOptions()
    {
        bool parsed = OptionParser.TryParse(BootInformation.CommandLine, out ReadOnlySpan<byte> word, out ReadOnlySpan<byte> expected);
        if (!parsed)
        {
            Log.Always("boot"u8).Text("the option '"u8).Text(word).Text("' has a value that cannot be used: it takes "u8).Text(expected).End();
            BootFailure.Stop("correct the option and boot again"u8);
        }

        if (BootOptions.SerialBase == 0 || !Uart.TryInitialize(BootOptions.SerialBase, BootOptions.SerialRate))
        {
            Uart.TryInitialize(0, 0);
        }

        Log.Line("boot"u8).Text("options: "u8).Text(BootInformation.CommandLine).End();
        MachineReport.Memory();
        BootModules.Assign();
    }

    private static void ReadTables()
    {
        if (!AcpiTables.TryParse())
        {
            BootFailure.Stop(AcpiTables.Problem switch
            {
                AcpiProblem.NoRootPointer => "the firmware has no ACPI tables (no RSDP), which list the interrupt controllers; switch ACPI on"u8,
                AcpiProblem.BadRootTable => "the firmware's ACPI root table is damaged (length or checksum)"u8,
                _ => "the firmware's ACPI tables have no MADT, which lists the interrupt controllers"u8,
            });
        }

        if (Madt.IoApicCount == 0)
        {
            BootFailure.Stop("the ACPI MADT lists no IO-APIC; the hypervisor cannot take interrupts without one"u8);
        }

        MachineReport.Tables();
    }

    private static void SetUpMemory()
    {
        BootMemory.Initialize();
        BootMemory.Take(Image.Start, Image.Frames);
        BootModules.Take();

        ulong frames = BootMemory.EndFrame;
        ulong tables = ((frames * 24) >> 12) + 1024;
        if (!BootMemory.TryFind(tables, out Mfn early, out ulong available))
        {
            BootFailure.Stop("too little memory below 4 GiB for the hypervisor's tables; give the machine more RAM"u8);
        }

        EarlyFrames.Initialize(early, available);
        HypervisorAddressSpace.Initialize(frames, Image.Start, Image.Frames);
        HypervisorAddressSpace.DropIdentityMap();
        Descriptors.Initialize();
        Protection.Enable(BootOptions.AllowSmep, BootOptions.AllowSmap);
        EntryRules.Initialize();
        FrameTable.Initialize(Table<FrameInfo>.Over(EarlyFrames.Allocate(Table<FrameInfo>.FramesFor((int)frames)), (int)frames));
        DomainTable.Initialize(GrowableTable<Domain>.Reserve(DomainTable.Capacity));
        DomainConsoles.Initialize(GrowableTable<DomainConsole>.Reserve(DomainConsoles.Capacity));
        VcpuTable.Initialize(GrowableTable<Vcpu>.Reserve(VcpuTable.Capacity), GrowableTable<VcpuContext>.Reserve(VcpuTable.Capacity));
        Scheduler.Initialize();
        SecondaryProcessors.Reserve();
        ulong unused = EarlyFrames.UnusedEnd.Value - EarlyFrames.UnusedStart.Value;
        BootMemory.Take(early, unused == 0 ? EarlyFrames.Next.Value - early.Value : EarlyFrames.UnusedStart.Value - early.Value);
        if (unused != 0)
        {
            BootMemory.Take(EarlyFrames.UnusedEnd, EarlyFrames.Next.Value - EarlyFrames.UnusedEnd.Value);
        }

        Log.Line("mm"u8).Text("RAM "u8).Decimal(BootMemory.RamFrames >> 8).Text(" MiB, hypervisor image "u8).Decimal(Image.Frames << 2)
            .Text(" KiB, its tables "u8).Decimal((EarlyFrames.Next.Value - early.Value - unused) << 2).Text(" KiB"u8).End();
        MachineReport.Processor();
    }

    private static void SetUpDevices()
    {
        LegacyPic.Disable();
        LocalApic.Initialize(Vectors.Spurious, Vectors.ApicError);
        for (int i = 0; i < Madt.IoApicCount; i++)
        {
            Madt.IoApicEntry entry = Madt.IoApicAt(i);
            IoApic.Add(entry.Id, new MachineAddress(entry.Address), entry.FirstLine);
        }

        Calibration.Run();
        SecondaryProcessors.Start();
        MachineReport.Processors();
        Pirqs.Initialize();
        Interrupts.TakeSerialLine();
        VcpuClock.SetWall(RealTimeClock.ReadSeconds(), 0, SystemTime.Now());
        AddReservedRanges();
        MachineReport.Interrupts();
    }

    /// <summary>Domain 0 must not take the interrupt controllers' registers for free address space.</summary>
    private static void AddReservedRanges()
    {
        MachineMemoryMap.TryAdd(LocalApic.Address.Value, 4096, E820Entry.Reserved);
        for (int i = 0; i < IoApic.Count; i++)
        {
            MachineMemoryMap.TryAdd(IoApic.AddressOf(i).Value, 4096, E820Entry.Reserved);
        }
    }

    /// <summary>Every domain's first vcpu, Domain 0's first of all; the others are their kernels' to start.</summary>
    private static void Start()
    {
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (DomainTable.Exists((uint)id))
            {
                Scheduler.Up(ref VcpuTable.At(DomainTable.At(id).VcpuIndex(0)));
            }
        }

        ConsoleInput.ChooseFirst();
        SecondaryProcessors.Release();
        int index = ReturnToGuest.Run(-1);
        HypervisorLock.Exit();
        GuestEntry.Enter(ref VcpuTable.Context(index));
    }
}
