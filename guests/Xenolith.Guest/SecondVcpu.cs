// Another vcpu of the guest.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>
/// Starts vcpu 1, which carries out one order at a time: writing or watching a word, or a routine of the program. Its only handler is
/// the one that ends writing and watching, so that a routine must not fault; nor may it print.
/// </summary>
internal static unsafe class SecondVcpu
{
    private const uint Idle = 0;
    private const uint Hammer = 1;
    private const uint Watch = 2;
    private const uint Routine = 3;

    private const int Flags = 0x200;
    private const int Registers = 0x208;
    private const int TrapTable = 0x2D0;
    private const int KernelStack = 0x1368;
    private const int KernelRoot = 0x1378 + 24;
    private const int StackPages = 4;
    private const ulong InKernel = 4;

    private static uint s_order;
    private static uint s_stop;
    private static void* s_at;
    private static ulong s_value;
    private static ulong s_result;
    private static delegate*<uint*, ulong> s_routine;

    /// <summary>False when the domain has one vcpu only.</summary>
    internal static bool TryStart()
    {
        byte* context = Memory.TakePage();
        Memory.TakePage();
        byte* stack = Memory.TakePage();
        for (int i = 1; i < StackPages; i++)
        {
            Memory.TakePage();
        }

        ulong stackEnd = (ulong)stack + (StackPages * Memory.PageBytes);
        *(ulong*)(context + Flags) = InKernel;
        ulong* registers = (ulong*)(context + Registers);
        registers[16] = (ulong)(delegate*<void>)&Run;
        registers[17] = Selectors.FlatCode64;
        registers[18] = 2;
        registers[19] = stackEnd - 8;
        registers[20] = Selectors.FlatData;
        *(TrapInfo*)(context + TrapTable + (14 * sizeof(TrapInfo))) =
            new TrapInfo { Vector = 14, Cs = Selectors.FlatCode64, Address = (ulong)Native.HammerFault };
        *(ulong*)(context + KernelStack) = Selectors.FlatData;
        *(ulong*)(context + KernelStack + 8) = stackEnd;
        *(ulong*)(context + KernelRoot) = Memory.Machine(Memory.Root);
        return Xen.Call(HypercallNumber.VcpuOp, 0, 1, (ulong)context) == 0 && Xen.Call(HypercallNumber.VcpuOp, 1, 1) == 0;
    }

    /// <summary>Begins to write a value and 0 by turns, and waits until it has begun.</summary>
    internal static void BeginHammer(ulong* at, ulong value)
    {
        Begin(Hammer, at, value);
        while (Volatile.Read(ref *at) != value && Volatile.Read(ref s_order) != Idle)
        {
        }
    }

    /// <summary>Begins to look for a value.</summary>
    internal static void BeginWatch(ulong* at, ulong value) => Begin(Watch, at, value);

    /// <summary>Begins a routine, which ends when its argument points to something else than 0.</summary>
    internal static void BeginRoutine(delegate*<uint*, ulong> routine)
    {
        s_routine = routine;
        Begin(Routine, null, 0);
    }

    /// <summary>Whether what was begun goes on.</summary>
    internal static bool IsBusy => Volatile.Read(ref s_order) != Idle;

    /// <summary>Ends what was begun and gives its result. What was begun may have taken the vcpu down.</summary>
    internal static ulong End()
    {
        Volatile.Write(ref s_stop, 1);
        while (IsBusy)
        {
            Xen.Call(HypercallNumber.VcpuOp, 1, 1);
            Xen.Call(HypercallNumber.SchedOp, 0);
        }

        return s_result;
    }

    private static void Begin(uint order, void* at, ulong value)
    {
        s_at = at;
        s_value = value;
        Volatile.Write(ref s_stop, 0);
        Volatile.Write(ref s_order, order);
    }

    private static void Run()
    {
        fixed (uint* stop = &s_stop)
        {
            while (true)
            {
                uint order = Volatile.Read(ref s_order);
                if (order == Idle)
                {
                    Xen.Call(HypercallNumber.SchedOp, 0);
                    continue;
                }

                s_result = order == Hammer ? Native.Hammer(s_at, s_value, stop)
                    : order == Watch ? Native.Watch(s_at, s_value, stop)
                    : s_routine(stop);
                Volatile.Write(ref s_order, Idle);
            }
        }
    }
}
