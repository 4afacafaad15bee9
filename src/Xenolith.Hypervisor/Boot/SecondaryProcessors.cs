// The processors beside the first.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Options;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot;

/// <summary>Starts the processors that the MADT lists, one after the other, and lets them loose when the machine is set up.</summary>
public static class SecondaryProcessors
{
    private const ulong Millisecond = 1_000_000;
    private const ulong InitNanoseconds = 10 * Millisecond;
    private const ulong FirstWaitNanoseconds = 10 * Millisecond;
    private const ulong LastWaitNanoseconds = 1_000 * Millisecond;
    private const ulong LowestPage = 0x10;
    private const ulong LowPagesEnd = 0xA0;

    private static int s_released;

    /// <summary>Takes the memory that the further processors need; while the hypervisor still takes frames for itself.</summary>
    internal static void Reserve()
    {
        ProcessorTable.At(0) = Processor.New(0, 0);
        int count = Math.Min(Madt.ProcessorCount, ProcessorTable.Capacity);
        count = BootOptions.MaximumProcessors == 0 ? count : (int)Math.Min((uint)count, BootOptions.MaximumProcessors);
        for (int index = 1; index < count; index++)
        {
            ProcessorTable.SetBlock(index, ProcessorBlock.Allocate(index));
        }

        if (count > 1)
        {
            ProcessorTable.SetBlock(0, EarlyFrames.Allocate(1));
        }
    }

    /// <summary>Starts them; each waits for <see cref="Release"/>. One that does not answer is left out.</summary>
    internal static void Start()
    {
        uint own = LocalApic.Id;
        ProcessorTable.At(0).ApicId = own;
        Mfn saved = ProcessorTable.Block(0);
        if (!saved.IsValid || !TryFindLowPage(out Mfn page))
        {
            return;
        }

        SecondaryProcessor.PlacePage(page, saved);
        for (int i = 0; i < Madt.ProcessorCount; i++)
        {
            Madt.ProcessorEntry entry = Madt.ProcessorAt(i);
            int index = ProcessorTable.Count;
            if (entry.ApicId == own)
            {
                ProcessorTable.At(0).AcpiId = entry.AcpiId;
            }
            else if (index < ProcessorTable.Capacity && ProcessorTable.Block(index).IsValid)
            {
                if (LocalApic.CanReach(entry.ApicId) && TryStart(index, entry.ApicId, page))
                {
                    ProcessorTable.At(index) = Processor.New(entry.ApicId, entry.AcpiId);
                    ProcessorTable.Count++;
                }
                else
                {
                    Log.Line("cpu"u8).Text("the processor with APIC id "u8).Decimal((ulong)entry.ApicId).Text(" does not start; the machine goes on without it"u8).End();
                }
            }
        }

        SecondaryProcessor.RestorePage(page, saved);
    }

    /// <summary>Domain 0 is about to run: everybody may look for work.</summary>
    internal static void Release()
    {
        Volatile.Write(ref s_released, 1);
        for (int index = 1; index < ProcessorTable.Count; index++)
        {
            LocalApic.SendInterrupt(ProcessorTable.At(index).ApicId, Vectors.Kick);
        }
    }

    /// <summary>Where a further processor comes to C#; does not return.</summary>
    public static void Run()
    {
        SecondaryProcessor.Initialize(Vectors.Spurious, Vectors.ApicError);
        SecondaryProcessor.Arrive();
        while (Volatile.Read(ref s_released) == 0)
        {
            Cpu.HaltWithInterrupts();
        }

        HypervisorLock.Enter();
        int index = ReturnToGuest.Run(-1);
        HypervisorLock.Exit();
        GuestEntry.Enter(ref Domains.VcpuTable.Context(index));
    }

    private static bool TryStart(int index, uint apicId, Mfn page)
    {
        SecondaryProcessor.SendInit(apicId, ProcessorTable.Block(index));
        SystemTime.Wait(InitNanoseconds);
        SecondaryProcessor.SendStartup(apicId, page);
        if (HasArrived(index, FirstWaitNanoseconds))
        {
            return true;
        }

        SecondaryProcessor.SendStartup(apicId, page);
        if (HasArrived(index, LastWaitNanoseconds))
        {
            return true;
        }

        // One that came now would take the stack of the next one: an INIT has it wait for a startup that does not come.
        SecondaryProcessor.SendInit(apicId, ProcessorTable.Block(index));
        SystemTime.Wait(InitNanoseconds);
        return false;
    }

    private static bool HasArrived(int index, ulong nanoseconds)
    {
        ulong end = SystemTime.Now() + nanoseconds;
        while (SystemTime.Now() < end)
        {
            if (SecondaryProcessor.Arrived == index)
            {
                return true;
            }

            Cpu.Pause();
        }

        return false;
    }

    /// <summary>A page of RAM that a startup IPI can name; what stands there is put back afterwards.</summary>
    private static bool TryFindLowPage(out Mfn page)
    {
        for (ulong frame = LowPagesEnd - 1; frame >= LowestPage; frame--)
        {
            page = new Mfn(frame);
            if (MachineMemoryMap.IsRam(page))
            {
                return true;
            }
        }

        page = Mfn.Invalid;
        return false;
    }
}
