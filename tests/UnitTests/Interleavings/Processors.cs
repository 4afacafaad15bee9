// Several processors of the fake machine, each a thread that a schedule lets run.
using System.Linq;
using System.Reflection;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>
/// Interrupts between them, halts and spinning waits. A processor that has come to its end halts too and still takes interrupts; the
/// machine stops when all halt and no interrupt is on its way.
/// </summary>
internal sealed class Processors
{
    private const ulong CommandLow = 0x300;
    private const ulong CommandHigh = 0x310;

    private readonly bool[] _interrupts;
    private readonly bool[] _halts;
    private readonly ulong[] _destinations;
    private readonly long[] _seen;

    private Processors(int count)
    {
        _interrupts = new bool[count];
        _halts = new bool[count];
        _destinations = new ulong[count];
        _seen = new long[count];
    }

    internal delegate void Program(Processors machine, int processor);

    /// <summary>Whether an interrupt waits for the processor.</summary>
    internal bool HasInterrupt(int processor) => _interrupts[processor];

    /// <summary>Runs a program on each processor until the machine stops. The machine has been set up by TestDomain before.</summary>
    internal static void Run(int count, Program program)
    {
        Processors machine = new(count);
        ProcessorTable.Count = count;
        for (int index = 0; index < count; index++)
        {
            ProcessorTable.At(index) = Processor.New((uint)index, 0);
            FakeCpu.Index = index;
            Tlb.LoadOwnRoot();
            Xenolith.Hypervisor.Memory.TlbClock.Flushed();
        }

        FakeCpu.Index = 0;
        for (int index = 0; index < VcpuTable.Count; index++)
        {
            // They were made when there was one processor, and may use all.
            Assert.Equal(XenError.None, SchedulerParameters.TrySetHardAffinity(ref VcpuTable.At(index), ulong.MaxValue, out _));
        }

        ForgetLock();
        FakeCpu.DeviceRead = (_, _) => 0;
        FakeCpu.DeviceWrite = machine.WriteDevice;
        FakeCpu.OnHalt = machine.Halt;
        Interleaving.OnAccess = Schedule.Current!.Step;
        Interleaving.OnPause = machine.Pause;
        try
        {
            Schedule.Current.Run(count, index => machine.RunOne(index, program));
        }
        finally
        {
            Interleaving.OnAccess = null;
            Interleaving.OnPause = null;
            ProcessorTable.Count = 1;
        }
    }

    /// <summary>Waits in a guest, with interrupts on, until shared memory changes or an interrupt comes.</summary>
    internal void PauseGuest(int processor)
    {
        long seen = _seen[processor];
        Schedule.Current!.WaitUntil(() => Interleaving.Changes != seen || _interrupts[processor] || IsOver());
        _seen[processor] = Interleaving.Changes;
        StopIfOver();
    }

    /// <summary>Takes the interrupt that waits, if there is one: for a processor that runs no vcpu.</summary>
    internal void TakeInterrupt(int processor)
    {
        if (TryAcknowledge(processor))
        {
            GuestRegisters frame = new() { Vector = Vectors.Kick };
            LockedEntry.HypervisorTrap(ref frame);
        }
    }

    /// <summary>The local APIC hands the interrupt over.</summary>
    internal bool TryAcknowledge(int processor)
    {
        bool waits = _interrupts[processor];
        _interrupts[processor] = false;
        return waits;
    }

    /// <summary>Ends the schedule with a sentence about what is wrong.</summary>
    internal static void Check(bool condition, string problem)
    {
        if (!condition)
        {
            throw new ScheduleException(problem);
        }
    }

    private void RunOne(int index, Program program)
    {
        FakeCpu.Index = index;
        _seen[index] = -1;
        try
        {
            program(this, index);
            while (true)
            {
                Halt();
            }
        }
        catch (MachineStoppedException)
        {
        }
    }

    private void Halt()
    {
        int self = FakeCpu.Index;
        _halts[self] = true;
        Schedule.Current!.WaitUntil(() => _interrupts[self] || IsOver());
        StopIfOver();
        _halts[self] = false;
        TakeInterrupt(self);
    }

    private bool IsOver() => Array.TrueForAll(_halts, halts => halts) && !Array.Exists(_interrupts, waits => waits);

    private void StopIfOver()
    {
        if (IsOver())
        {
            throw new MachineStoppedException();
        }
    }

    /// <summary>
    /// A turn of a loop with interrupts off. The first turn after a change looks again; then there is nothing to see before the next.
    /// </summary>
    private void Pause()
    {
        int self = FakeCpu.Index;
        long seen = _seen[self];
        Schedule.Current!.WaitUntil(() => Interleaving.Changes != seen);
        _seen[self] = Interleaving.Changes;
    }

    private void WriteDevice(ulong address, int bytes, ulong value)
    {
        switch (address & 0xFFF)
        {
            case CommandHigh:
                _destinations[FakeCpu.Index] = value >> 24;
                break;
            case CommandLow:
                Schedule.Current!.Step();
                _interrupts[_destinations[FakeCpu.Index]] = true;
                Interleaving.Changed();
                break;
        }
    }

    /// <summary>A schedule that ended badly may have left the lock taken.</summary>
    private static void ForgetLock()
    {
        foreach (FieldInfo field in typeof(HypervisorLock).GetFields(BindingFlags.Static | BindingFlags.NonPublic).Where(field => !field.IsLiteral))
        {
            field.SetValue(null, Activator.CreateInstance(field.FieldType));
        }
    }

    private sealed class MachineStoppedException : Exception;
}
