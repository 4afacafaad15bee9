// The ways in from the assembly, under the core's lock.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Takes the lock around <see cref="TrapDispatcher"/>; interrupts are off from the entry to the exit.</summary>
public static class LockedEntry
{
    private const int FirstInterrupt = 32;

    public static void GuestTrap(int index)
    {
        HypervisorLock.Enter();
        TrapDispatcher.GuestTrap(index);
        HypervisorLock.Exit();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GuestHypercall(int index)
    {
        HypervisorLock.Enter();
        TrapDispatcher.GuestHypercall(index);
        HypervisorLock.Exit();
    }

    public static int GuestIret(int index) => Left(TrapDispatcher.GuestIret(Entered(index)));

    public static int GuestSyscall(int index) => Left(TrapDispatcher.GuestSyscall(Entered(index)));

    public static int GuestSyscall32(int index) => Left(TrapDispatcher.GuestSyscall32(Entered(index)));

    public static int GuestBounceFault(int index) => Left(TrapDispatcher.GuestBounceFault(Entered(index)));

    public static int GuestIretFault(int index) => Left(TrapDispatcher.GuestIretFault(Entered(index)));

    /// <summary>Something waits before the guest may go on: gives the index of the vcpu that does.</summary>
    public static int ExitWork(int index) => Left(TrapDispatcher.ExitWork(Entered(index)));

    /// <summary>
    /// A trap in the hypervisor itself. An interrupt can only come while the processor halts, without the lock; anything else comes
    /// from code that has it, or is a fault on a guest's account.
    /// </summary>
    public static void HypervisorTrap(ref GuestRegisters frame)
    {
        bool isInterrupt = frame.Vector >= FirstInterrupt;
        if (isInterrupt)
        {
            HypervisorLock.Enter();
        }

        TrapDispatcher.HypervisorTrap(ref frame);
        if (isInterrupt)
        {
            HypervisorLock.Exit();
        }
    }

    private static int Entered(int index)
    {
        HypervisorLock.Enter();
        return index;
    }

    private static int Left(int index)
    {
        HypervisorLock.Exit();
        return index;
    }
}
