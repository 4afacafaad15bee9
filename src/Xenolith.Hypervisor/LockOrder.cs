// What may wait for what, and the checks of it in builds for debugging.
using System.Diagnostics;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor;

/// <summary>
/// Every wait of the hypervisor, outermost first. Who is in one of them may enter those below it and none above.
/// <list type="number">
/// <item>A processor that has been started waits, halted with interrupts on and without the lock, until Domain 0 begins
/// (<see cref="Boot.SecondaryProcessors"/>). A processor without work halts in the same way (<see cref="Scheduler"/>).</item>
/// <item>Who waits for a paused vcpu to leave its processor (<see cref="Domains.DomainPause"/>) has let go of the lock meanwhile; interrupts
/// stay off, and it serves <see cref="RemoteRequests"/> like one who waits for the lock.</item>
/// <item><see cref="HypervisorLock"/>: interrupts are off. Who waits for it serves <see cref="RemoteRequests"/> meanwhile; who has it
/// never asks for it again.</item>
/// <item><see cref="RemoteRequests.Await"/> (the flushes of <see cref="Memory.TlbClock"/>, and taking a vcpu over): only with the lock,
/// so one processor waits at a time and nobody waits for it. The other one runs a guest or halts, where the interrupt reaches it, or it
/// waits for the lock, or it is on its way to one of these without any wait.</item>
/// <item>Devices (a delivery of the local APIC, the serial port, a clock at boot): each ends by the device's own doing or by a limit of
/// time, whatever other processors do.</item>
/// </list>
/// The checks are calls that the compiler leaves out unless the build is <c>./x build --debug</c> or <c>--stress</c>.
/// </summary>
internal static class LockOrder
{
    private const string Checks = "XENOLITH_DEBUG";

    /// <summary>The core's data is about to be used: this processor must have the lock.</summary>
    [Conditional(Checks)]
    internal static void AssertHeld() => Fatal.Assert(HypervisorLock.IsMine, "the core's data is used without the core's lock"u8);

    /// <summary>A request is about to be made: only the lock's holder may, of another processor that has no request left.</summary>
    [Conditional(Checks)]
    internal static void AssertMayAsk(ref Processor processor)
    {
        Fatal.Assert(HypervisorLock.IsMine, "a processor is asked by one without the core's lock"u8);
        Fatal.Assert(processor.ApicId != ProcessorTable.Current.ApicId, "a processor asks itself"u8);
        Fatal.Assert(processor.Requests == 0, "a processor is asked before it has done what it was asked"u8);
    }

    /// <summary>A wait for another processor is about to begin: only the lock's holder may wait, or two could wait for each other.</summary>
    [Conditional(Checks)]
    internal static void AssertMayAwait(ref Processor processor)
    {
        Fatal.Assert(HypervisorLock.IsMine, "a processor waits for another without the core's lock"u8);
        Fatal.Assert(processor.ApicId != ProcessorTable.Current.ApicId, "a processor waits for itself"u8);
    }

    /// <summary>A request is about to be served: whoever asks has the lock, so this processor cannot.</summary>
    [Conditional(Checks)]
    internal static void AssertMayServe() => Fatal.Assert(!HypervisorLock.IsMine, "a request is served by the core lock's holder"u8);
}
