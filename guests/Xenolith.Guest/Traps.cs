// Exceptions, callbacks, and trying code that may cause them.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>Records every trap. A trap while code is being tried ends the try; any other is an error, events excepted.</summary>
internal static unsafe class Traps
{
    internal const ulong EventVector = 256;
    internal const ulong FailsafeVector = 257;
    internal const ulong SyscallVector = 258;
    internal const ulong Syscall32Vector = 259;
    internal const ulong None = ~0UL;

    private const ulong KernelCode = 0xE030;
    private const ulong KernelStack = 0xE02B;
    private const ulong InterruptFlag = 0x200;
    private const ulong AlwaysOne = 2;
    private const int StubBytes = 16;

    private static TrapFrame s_last;
    private static ulong s_cr2;
    private static ulong s_handlerStack;
    private static byte s_handlerMask;

    internal static ref readonly TrapFrame Last => ref s_last;

    /// <summary>The faulting address of the last trap, as the shared page gave it.</summary>
    internal static ulong Cr2 => s_cr2;

    /// <summary>The event mask as the handler of the last trap found it; needs Events.Start.</summary>
    internal static byte MaskInHandler => s_handlerMask;

    /// <summary>Where the hypervisor put the last frame.</summary>
    internal static ulong StackInHandler => s_handlerStack;

    internal static ulong Stub(int vector) => (ulong)Native.TrapStubs + (ulong)(vector * StubBytes);

    /// <summary>A handler for each of the exceptions 0 to 31, and a stack for traps of user programs.</summary>
    internal static void Start()
    {
        for (int vector = 0; vector < 32; vector++)
        {
            if (Xen.SetTrap((byte)vector, Stub(vector)) != 0)
            {
                Report.Error("set_trap_table failed"u8);
            }
        }

        Xen.Call(HypercallNumber.StackSwitch, Selectors.FlatData, (ulong)Native.TrapStackEnd);
    }

    internal static long Callbacks()
    {
        long result = Xen.RegisterCallback(CallbackRegister.Event, Native.EventStub, true);
        result |= Xen.RegisterCallback(CallbackRegister.Failsafe, Native.FailsafeStub, true);
        return result | Xen.RegisterCallback(CallbackRegister.Syscall, Native.SyscallStub, true);
    }

    /// <summary>Calls code that ends in RET. Returns the vector of what it caused, or None.</summary>
    internal static ulong Try(void* code, ref ProbeRegisters registers)
    {
        s_last.Vector = None;
        ProbeRegisters copy = registers;
        Native.Probe(&copy, code);
        registers = copy;
        return s_last.Vector;
    }

    /// <summary>Tries the given instructions, with registers of the caller's choice.</summary>
    internal static ulong Try(ReadOnlySpan<byte> instructions, ref ProbeRegisters registers)
    {
        byte* code = Code(instructions);
        return Try(code, ref registers);
    }

    /// <summary>Tries the given instructions.</summary>
    internal static ulong Try(ReadOnlySpan<byte> instructions)
    {
        ProbeRegisters registers = default;
        return Try(instructions, ref registers);
    }

    /// <summary>Puts instructions, and a RET behind them, where a try runs them.</summary>
    internal static byte* Code(ReadOnlySpan<byte> instructions)
    {
        byte* code = Memory.CodePage;
        for (int i = 0; i < instructions.Length; i++)
        {
            code[i] = instructions[i];
        }

        code[instructions.Length] = 0xC3;
        return code;
    }

    /// <summary>Leaves by the iret hypercall and comes back with the vector of what ended the stay.</summary>
    internal static ulong Leave(ref IretContext frame)
    {
        s_last.Vector = None;
        IretContext copy = frame;
        Native.Leave(&copy);
        return s_last.Vector;
    }

    internal static void Handle(TrapFrame* frame)
    {
        if (frame->Vector == EventVector)
        {
            Events.Upcall(frame);
            return;
        }

        s_last = *frame;
        s_handlerStack = (ulong)frame;
        s_handlerMask = Events.Mask;
        s_cr2 = Memory.FaultAddress;
        if (*Native.Recover == 0)
        {
            Unexpected(frame);
        }

        Resume(frame);
    }

    /// <summary>Makes the handler's return end the try in progress.</summary>
    internal static void Resume(TrapFrame* frame)
    {
        frame->Rip = *Native.Recover;
        frame->Rsp = *Native.RecoverStack;
        frame->Cs = KernelCode;
        frame->Ss = KernelStack;
        frame->Rflags = (frame->Rflags & InterruptFlag) | AlwaysOne;
        *Native.Recover = 0;
    }

    private static void Unexpected(TrapFrame* frame)
    {
        Report.Begin("Error: trap "u8);
        Text.Decimal((long)frame->Vector);
        Text.Write(" error "u8);
        Text.Hex(frame->ErrorCode);
        Text.Write(" at "u8);
        Text.Hex(frame->Rip);
        Text.Write(" cs "u8);
        Text.Hex(frame->Cs);
        Text.Write(" rsp "u8);
        Text.Hex(frame->Rsp);
        Text.Write(" cr2 "u8);
        Text.Hex(s_cr2);
        Text.EndLine();
        Xen.EndMachine();
    }
}
