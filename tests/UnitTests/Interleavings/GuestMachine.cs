// A machine whose processors run vcpus under the real scheduler, each vcpu with a program of the test.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>
/// A guest's program is an iterator: between two steps it can be interrupted, and a step may be a hypercall. The way in and out is that of
/// the assembly, in C#: <see cref="LockedEntry"/>, then exit work as long as something waits for the vcpu.
/// </summary>
internal sealed class GuestMachine
{
    private const ulong Code = 0x1000;
    private const ulong Callback = 0x2000;

    private readonly Dictionary<int, Guest> _guests = [];

    internal delegate IEnumerable<Step> Program();

    /// <summary>Result of the vcpu's last hypercall.</summary>
    internal long ResultOf(ref Vcpu vcpu) => _guests[vcpu.Index].Result;

    /// <summary>Gives a vcpu a program, and what it does in its event callback.</summary>
    internal void Add(TestDomain domain, int id, Program program, Program? handler = null)
    {
        ref Vcpu vcpu = ref domain.Vcpu(id);
        _guests[vcpu.Index] = new Guest(program, handler);
        vcpu.Traps.EventCallback = Callback;
        vcpu.Context.Registers.Rip = Code;
        domain.Enter(id);
        vcpu.Context.Registers.Rsp = domain.Arguments + 4096;
        vcpu.Schedule.LoadedOn = -1;
        if (!vcpu.Schedule.IsUp)
        {
            Scheduler.Up(ref vcpu);
        }
    }

    /// <summary>Runs the machine; fails when it stops before every program has come to its end.</summary>
    internal void Run(int processors)
    {
        Processors.Run(processors, RunProcessor);
        foreach ((int index, Guest guest) in _guests)
        {
            Processors.Check(guest.IsDone, $"the machine has stopped, and vcpu {index} waits for ever");
        }
    }

    private void RunProcessor(Processors machine, int self)
    {
        HypervisorLock.Enter();
        int index = ReturnToGuest.Run(-1);
        HypervisorLock.Exit();
        while (true)
        {
            Schedule.Current!.Step();
            ref VcpuContext context = ref VcpuTable.Context(index);
            Guest guest = _guests[index];
            if (machine.TryAcknowledge(self))
            {
                guest.Leave(ref context);
                context.Registers.Vector = Vectors.Kick;
                LockedEntry.GuestTrap(index);
                index = Exit(index);
                continue;
            }

            Step step = guest.IsRestarted ? default : guest.Next(ref context);
            if (step.IsPause)
            {
                machine.PauseGuest(self);
            }
            else if (step.Number is not null || guest.IsRestarted)
            {
                Begin(ref context.Registers, in step);
                LockedEntry.GuestHypercall(index);
                guest.Complete(ref context);
                index = Exit(index);
            }
        }
    }

    /// <summary>Puts the step's hypercall into the registers; one that is executed again is there already.</summary>
    private static void Begin(ref GuestRegisters registers, in Step step)
    {
        registers.Rip = Code;
        if (step.Number is not { } number)
        {
            return;
        }

        registers.Rax = (ulong)number;
        registers.Rdi = step.Argument0;
        registers.Rsi = step.Argument1;
        registers.Rdx = step.Argument2;
        registers.R10 = step.Argument3;
    }

    /// <summary>What exit_to_guest of the assembly asks.</summary>
    private int Exit(int index)
    {
        ref Vcpu vcpu = ref VcpuTable.At(index);
        if (vcpu.Context.Work != 0 || VcpuInfoPage.IsDeliverable(ref vcpu))
        {
            index = LockedEntry.ExitWork(index);
        }

        _guests[index].Arrive(ref VcpuTable.Context(index));
        return index;
    }

    /// <summary>One step of a guest.</summary>
    /// <param name="Number">The hypercall that it makes, if any.</param>
    /// <param name="IsPause">It waits in a loop for another vcpu.</param>
    internal readonly record struct Step(
        HypercallNumber? Number, ulong Argument0 = 0, ulong Argument1 = 0, ulong Argument2 = 0, ulong Argument3 = 0, bool IsPause = false)
    {
        /// <summary>An instruction boundary.</summary>
        internal static Step None => default;

        internal static Step Pause => new(null, IsPause: true);

        internal static Step Block => new(HypercallNumber.SchedOp, 1);

        internal static Step Yield => new(HypercallNumber.SchedOp, 0);
    }

    private sealed class Guest(Program program, Program? handler)
    {
        private readonly IEnumerator<Step> _program = program().GetEnumerator();
        private IEnumerator<Step>? _handler;
        private GuestRegisters _interrupted;
        private bool _isRestarted;

        internal bool IsDone { get; private set; }

        internal long Result { get; private set; }

        /// <summary>The hypercall that it made has to be executed again.</summary>
        internal bool IsRestarted => _isRestarted && _handler is null;

        /// <summary>The next step; after the program's end the vcpu blocks again and again.</summary>
        internal Step Next(ref VcpuContext context)
        {
            if (_handler is not null)
            {
                if (_handler.MoveNext())
                {
                    return _handler.Current;
                }

                // iret: events are open again, and what came meanwhile is taken at once.
                _handler = null;
                context.Registers = _interrupted;
                ref Vcpu vcpu = ref VcpuTable.At(context.Index);
                ControlledVolatile.Write(ref VcpuInfoPage.Info(ref vcpu).UpcallMask, 0);
                if (ControlledVolatile.Read(ref VcpuInfoPage.Info(ref vcpu).UpcallPending) != 0)
                {
                    VcpuInfoPage.Info(ref vcpu).UpcallMask = 1;
                    _handler = handler!().GetEnumerator();
                }

                return Step.None;
            }

            if (!IsDone && _program.MoveNext())
            {
                return _program.Current;
            }

            IsDone = true;
            return Step.Block;
        }

        /// <summary>A hypercall has been executed, or wants to be executed again.</summary>
        internal void Complete(ref VcpuContext context)
        {
            _isRestarted = context.Registers.Rip != Code && _handler is null;
            Result = (long)context.Registers.Rax;
            context.Registers.Rip = Code;
            Leave(ref context);
        }

        /// <summary>On the way into the hypervisor: what an event would interrupt.</summary>
        internal void Leave(ref VcpuContext context)
        {
            if (_handler is null)
            {
                _interrupted = context.Registers;
            }
        }

        /// <summary>On the way out: the callback has been entered, or not.</summary>
        internal void Arrive(ref VcpuContext context)
        {
            if (_handler is null && context.Registers.Rip == Callback)
            {
                _handler = handler!().GetEnumerator();
            }
        }
    }
}
