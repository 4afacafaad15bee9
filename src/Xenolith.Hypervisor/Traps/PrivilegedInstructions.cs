// Instructions that a PV kernel may execute although they fault at CPL 3.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Decodes the instruction at RIP, fetched once, and emulates exactly the ones listed; anything else stays a fault.</summary>
internal static partial class PrivilegedInstructions
{
    private const int DebugVector = 1;
    private const ulong ForcedPrefix = 0x00A2_0F6E_6578_0B0FUL;

    /// <summary>UD2, "xen", CPUID (public arch-x86/xen.h, XEN_EMULATE_PREFIX).</summary>
    internal static bool TryForcedCpuId(ref Vcpu vcpu)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        Span<byte> code = stackalloc byte[7];
        int length = GuestMemory.TryCopyFrom(new GuestAddress(registers.Rip), code) ? code.Length : Fetch(registers.Rip, code);
        for (int i = 0; i < length; i++)
        {
            if (code[i] != (byte)(ForcedPrefix >> (i * 8)))
            {
                return false;
            }
        }

        if (length < code.Length)
        {
            // With the whole prefix there, it is the instruction behind it that cannot be fetched.
            const int PrefixBytes = 5;
            if (length < PrefixBytes)
            {
                return false;
            }

            PageFaults.Deliver(ref vcpu, registers.Rip + (ulong)length, 0);
            return true;
        }

        ExecuteCpuId(ref vcpu);
        Advance(ref vcpu, 7);
        return true;
    }

    /// <summary>Emulates the instruction that raised #GP(0); false when it is none of ours.</summary>
    internal static bool TryEmulate(ref Vcpu vcpu)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        Span<byte> code = stackalloc byte[15];
        int length = Fetch(registers.Rip, code);
        int at = 0;
        bool repeat = false;
        bool operandSize = false;
        byte rex = 0;
        while (at < length)
        {
            byte prefix = code[at];
            if (prefix is 0xF2 or 0xF3)
            {
                repeat = true;
            }
            else if (prefix == 0x66)
            {
                operandSize = true;
            }
            else if (prefix is not (0x2E or 0x36 or 0x3E or 0x26 or 0x64 or 0x65 or 0x67 or 0xF0))
            {
                break;
            }

            at++;
        }

        if (at < length && (code[at] & 0xF0) == 0x40)
        {
            rex = code[at++];
        }

        if (at >= length)
        {
            return false;
        }

        byte opcode = code[at++];
        int wide = operandSize ? 2 : 4;
        switch (opcode)
        {
            case 0x6C or 0x6D or 0x6E or 0x6F:
                return TryString(ref vcpu, (opcode & 2) == 0, (opcode & 1) == 0 ? 1 : wide, repeat, at);
            case 0xE4 or 0xE5 or 0xE6 or 0xE7 when at < length:
                return TryPort(ref vcpu, code[at], (opcode & 1) == 0 ? 1 : wide, (opcode & 2) != 0, at + 1);
            case 0xEC or 0xED or 0xEE or 0xEF:
                return TryPort(ref vcpu, (ushort)registers.Rdx, (opcode & 1) == 0 ? 1 : wide, (opcode & 2) != 0, at);
            case 0xFA or 0xFB:
                // The event mask is the guest's own affair; with the right to do so, CLI and STI are simply passed over.
                if (!MayUsePorts(ref vcpu))
                {
                    return false;
                }

                Advance(ref vcpu, at);
                return true;
            case 0x0F when at < length:
                return vcpu.Context.InKernel != 0 && TryTwoByte(ref vcpu, code[at], at + 1 < length ? code[at + 1] : (byte)0, rex, at + 1);
            default:
                return false;
        }
    }

    private static bool TryTwoByte(ref Vcpu vcpu, byte opcode, byte modRm, byte rex, int at)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        switch (opcode)
        {
            case 0x06:
                SetTaskSwitched(ref vcpu, false);
                break;
            case 0x09:
                if (vcpu.Domain.IsPrivileged)
                {
                    Machine.Cpu.WriteBackInvalidateCaches();
                }

                break;
            case 0x20 or 0x21 or 0x22 or 0x23:
                at++;
                if (!TryMoveControl(ref vcpu, opcode, modRm, rex, out bool again))
                {
                    return false;
                }

                if (again)
                {
                    return true;
                }

                break;
            case 0x30:
                if (!GuestMsrs.TryWrite(ref vcpu, (uint)registers.Rcx, (uint)registers.Rax | (registers.Rdx << 32)))
                {
                    return false;
                }

                break;
            case 0x31:
                SetPair(ref registers, Tsc.Read());
                break;
            case 0x32:
                if (!GuestMsrs.TryRead(ref vcpu, (uint)registers.Rcx, out ulong value))
                {
                    return false;
                }

                SetPair(ref registers, value);
                break;
            case 0xA2:
                ExecuteCpuId(ref vcpu);
                break;
            case 0x01 when modRm == 0xD1:
                at++;
                ulong xcr0 = (uint)registers.Rax | (registers.Rdx << 32);
                if ((uint)registers.Rcx != 0 || (xcr0 & 1) == 0 || (xcr0 & ~CpuFeatures.XsaveMask) != 0 || !Fpu.TrySetXcr0(xcr0))
                {
                    return false;
                }

                vcpu.Traps.Xcr0 = xcr0;
                break;
            case 0x01 when modRm == 0xF9:
                at++;
                SetPair(ref registers, Tsc.Read());
                registers.Rcx = vcpu.Traps.TscAux;
                break;
            default:
                return false;
        }

        Advance(ref vcpu, at);
        return true;
    }

    private static bool TryMoveControl(ref Vcpu vcpu, byte opcode, byte modRm, byte rex, out bool again)
    {
        again = false;
        if ((modRm & 0xC0) != 0xC0)
        {
            return false;
        }

        int special = ((modRm >> 3) & 7) | ((rex & 4) << 1);
        ref ulong general = ref GeneralRegisters.Select(ref vcpu.Context.Registers, (modRm & 7) | ((rex & 1) << 3));
        switch (opcode)
        {
            case 0x20: return ControlRegisterEmulation.TryRead(ref vcpu, special, out general);
            case 0x22: return ControlRegisterEmulation.TryWrite(ref vcpu, special, general, out again);
            case 0x21: return DebugRegisterEmulation.TryRead(ref vcpu, special, out general);
            default: return DebugRegisterEmulation.Write(ref vcpu, special, general) == Abi.XenError.None;
        }
    }

    internal static void SetTaskSwitched(ref Vcpu vcpu, bool set) => vcpu.Context.VirtualTaskSwitched = set ? (byte)1 : (byte)0;

    private static int Fetch(ulong rip, Span<byte> code)
    {
        if (GuestMemory.TryCopyFrom(new GuestAddress(rip), code))
        {
            return code.Length;
        }

        int here = (int)Math.Min(4096 - (rip & 0xFFF), (ulong)code.Length);
        return GuestMemory.TryCopyFrom(new GuestAddress(rip), code.Slice(0, here)) ? here : 0;
    }

    private static void ExecuteCpuId(ref Vcpu vcpu)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        CpuIdResult result = GuestCpuId.Query(ref vcpu, (uint)registers.Rax, (uint)registers.Rcx);
        registers.Rax = result.Eax;
        registers.Rbx = result.Ebx;
        registers.Rcx = result.Ecx;
        registers.Rdx = result.Edx;
    }

    private static void SetPair(ref GuestRegisters registers, ulong value)
    {
        registers.Rax = (uint)value;
        registers.Rdx = value >> 32;
    }

    /// <summary>Steps over the instruction; single-stepping guests get their trap.</summary>
    private static void Advance(ref Vcpu vcpu, int bytes)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        registers.Rip += (ulong)bytes;
        registers.Rflags &= ~RflagsBits.Resume;
        if ((registers.Rflags & RflagsBits.Trap) != 0)
        {
            const ulong SingleStep = 1 << 14;
            vcpu.Traps.Dr6 |= SingleStep;
            Bounce.Inject(ref vcpu, DebugVector);
        }
    }
}
