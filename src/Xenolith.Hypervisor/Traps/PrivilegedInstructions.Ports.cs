// IN, OUT, INS and OUTS of a guest.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

internal static partial class PrivilegedInstructions
{
    private const int RepeatLimit = 256;

    /// <summary>Kernel mode is privilege 1 of the virtual machine, user mode 3.</summary>
    private static bool MayUsePorts(ref Vcpu vcpu) => (vcpu.Context.InKernel != 0 ? 1u : 3u) <= vcpu.Traps.Iopl;

    private static bool MayUsePort(ref Vcpu vcpu, ushort port, int bytes)
        => MayUsePorts(ref vcpu) || IoBitmap.Allows(ref vcpu, port, bytes);

    private static bool TryPort(ref Vcpu vcpu, ushort port, int bytes, bool isOutput, int length)
    {
        if (!MayUsePort(ref vcpu, port, bytes))
        {
            return false;
        }

        ref GuestRegisters registers = ref vcpu.Context.Registers;
        if (isOutput)
        {
            uint value = (uint)registers.Rax & (bytes == 4 ? ~0u : (1u << (bytes * 8)) - 1);
            PlatformPorts.Write(ref vcpu.Domain, port, bytes, value);
        }
        else
        {
            uint value = PlatformPorts.Read(ref vcpu.Domain, port, bytes);
            registers.Rax = bytes switch
            {
                1 => (registers.Rax & ~0xFFUL) | (byte)value,
                2 => (registers.Rax & ~0xFFFFUL) | (ushort)value,
                _ => value,
            };
        }

        Advance(ref vcpu, length);
        return true;
    }

    private static bool TryString(ref Vcpu vcpu, bool isInput, int bytes, bool repeat, int length)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        ushort port = (ushort)registers.Rdx;
        if (!MayUsePort(ref vcpu, port, bytes))
        {
            return false;
        }

        ulong count = repeat ? registers.Rcx : 1;
        ulong step = (registers.Rflags & RflagsBits.Direction) != 0 ? 0UL - (ulong)bytes : (ulong)bytes;
        Span<byte> data = stackalloc byte[4];
        Span<byte> unit = data.Slice(0, bytes);

        // A long run is done in pieces: the instruction is executed again for the rest.
        for (int i = 0; i < RepeatLimit && count != 0; i++, count--)
        {
            ref ulong pointer = ref registers.Rsi;
            if (isInput)
            {
                pointer = ref registers.Rdi;
                uint value = PlatformPorts.Read(ref vcpu.Domain, port, bytes);
                for (int b = 0; b < bytes; b++)
                {
                    unit[b] = (byte)(value >> (b * 8));
                }

                if (!GuestMemory.TryCopyTo(new GuestAddress(pointer), unit))
                {
                    PageFaults.Deliver(ref vcpu, pointer, PageFaultBits.Write);
                    return true;
                }
            }
            else
            {
                if (!GuestMemory.TryCopyFrom(new GuestAddress(pointer), unit))
                {
                    PageFaults.Deliver(ref vcpu, pointer, 0);
                    return true;
                }

                uint value = 0;
                for (int b = 0; b < bytes; b++)
                {
                    value |= (uint)unit[b] << (b * 8);
                }

                PlatformPorts.Write(ref vcpu.Domain, port, bytes, value);
            }

            pointer += step;
            if (repeat)
            {
                registers.Rcx = count - 1;
            }
        }

        if (count == 0)
        {
            Advance(ref vcpu, length);
        }

        return true;
    }
}
