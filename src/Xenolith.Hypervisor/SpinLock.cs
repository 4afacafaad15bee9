// A lock for data that several processors share.
using System.Threading;
using Xenolith.Machine;

namespace Xenolith.Hypervisor;

/// <summary>A spin lock. The hypervisor runs with interrupts off, so nothing on the same processor can ask for it again.</summary>
public struct SpinLock
{
    private int _taken;

    public void Enter()
    {
        while (Interlocked.CompareExchange(ref _taken, 1, 0) != 0)
        {
            Cpu.Pause();
        }
    }

    public void Exit() => Volatile.Write(ref _taken, 0);
}
