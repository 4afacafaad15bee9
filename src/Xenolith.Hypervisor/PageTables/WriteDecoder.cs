// The instructions by which a kernel writes a page table entry in memory.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>Decodes one memory-writing instruction. The faulting address is known, so the address operand is only skipped.</summary>
internal static class WriteDecoder
{
    private const int Longest = 15;

    /// <summary>What the instruction does to memory and to its register operand.</summary>
    internal struct Write
    {
        /// <summary>Length of the instruction in bytes.</summary>
        internal int Length;

        /// <summary>Width of the access: 1, 2, 4 or 8 bytes.</summary>
        internal int Bytes;

        /// <summary>New value of the memory operand.</summary>
        internal ulong Value;

        /// <summary>False for a compare-exchange that finds another value.</summary>
        internal bool Stores;

        /// <summary>Register that receives the old value (XCHG, CMPXCHG failure), or -1.</summary>
        internal int OldTo;
        internal ulong Old;

        /// <summary>What STOS adds to RDI; 0 for every other instruction.</summary>
        internal int StringStep;

        /// <summary>Whether a REP prefix has the instruction executed again, until RCX is used up.</summary>
        internal bool Repeats;

        /// <summary>RFLAGS afterwards.</summary>
        internal ulong Rflags;
    }

    /// <summary>
    /// The form that most of a running kernel's writes have: MOV or XCHG of a 64-bit register with a memory operand that is a base
    /// register, perhaps with an 8-bit displacement. <paramref name="head"/> holds the instruction's first 8 bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsWholeEntry(ulong head, out int register, out bool isExchange, out int length)
    {
        const int Move = 0x89;
        const int Exchange = 0x87;
        int rex = (byte)head;
        int opcode = (byte)(head >> 8);
        int modRm = (byte)(head >> 16);
        register = ((modRm >> 3) & 7) | ((rex & 4) << 1);
        isExchange = opcode == Exchange;
        length = 3 + (modRm >> 6);
        return (rex & 0xF8) == 0x48 && (isExchange || opcode == Move) && IsPlainBase(modRm);
    }

    /// <summary>Whether an operand is a base register with no more than an 8-bit displacement: neither SIB nor RIP-relative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsPlainBase(int modRm) => modRm < 0x80 && (modRm & 7) != 4 && (modRm & 0xC7) != 5;

    /// <summary>LOCK AND of a byte with a constant, by which a kernel takes the right to write from an entry; operand as above.</summary>
    private static bool TryDecodeLockedAnd(ulong current, ulong head, ref Write write)
    {
        const int LockPrefix = 0xF0;
        const int ByteWithConstant = 0x80;
        const int And = 4;
        int at = (head & 0xF000) == 0x4000 ? 2 : 1;
        int opcode = (byte)(head >> (at * 8));
        int modRm = (byte)(head >> ((at * 8) + 8));
        if ((byte)head != LockPrefix || opcode != ByteWithConstant || ((modRm >> 3) & 7) != And || !IsPlainBase(modRm))
        {
            return false;
        }

        at += 2 + (modRm >> 6);
        write.Bytes = 1;
        write.Length = at + 1;
        write.Old = current & 0xFF;
        return Arithmetic(ref write, And, current & 0xFF, (byte)(head >> (at * 8)), 0xFF);
    }

    /// <summary>
    /// <paramref name="head"/> holds the instruction's first 8 bytes, 0 when they could not be read at once;
    /// <paramref name="current"/> is the memory operand's value (its low bytes count).
    /// </summary>
    internal static bool TryDecode(ref GuestRegisters registers, ulong head, ulong current, out Write write)
    {
        write = default;
        write.OldTo = -1;
        write.Stores = true;
        write.Rflags = registers.Rflags;
        if (TryDecodeLockedAnd(current, head, ref write))
        {
            return true;
        }

        Span<byte> code = stackalloc byte[Longest];
        int length = Longest;
        if (!GuestMemory.TryCopyFrom(new GuestAddress(registers.Rip), code))
        {
            length = (int)Math.Min(4096 - (registers.Rip & 0xFFF), Longest);
            if (!GuestMemory.TryCopyFrom(new GuestAddress(registers.Rip), code.Slice(0, length)))
            {
                return false;
            }
        }

        int at = 0;
        int bytes = 4;
        byte rex = 0;
        while (at < length && code[at] is 0xF0 or 0xF3 or 0x66 or 0x2E or 0x36 or 0x3E or 0x26 or 0x64 or 0x65)
        {
            bytes = code[at] == 0x66 ? 2 : bytes;
            write.Repeats |= code[at] == 0xF3;
            at++;
        }

        if (at < length && (code[at] & 0xF0) == 0x40)
        {
            rex = code[at++];
            bytes = (rex & 8) != 0 ? 8 : bytes;
        }

        if (at < length && code[at] is 0xAA or 0xAB)
        {
            StoreString(ref registers, ref write, code[at] == 0xAA ? 1 : bytes, at + 1);
            return true;
        }

        if (at + 1 >= length || write.Repeats)
        {
            return false;
        }

        int opcode = code[at++];
        if (opcode == 0x0F)
        {
            opcode = 0x0F00 | code[at++];
        }

        if (at >= length)
        {
            return false;
        }

        byte modRm = code[at];
        if ((modRm & 0xC0) == 0xC0 || !TrySkipOperand(code.Slice(0, length), ref at))
        {
            return false;
        }

        int number = ((modRm >> 3) & 7) | ((rex & 4) << 1);
        bool isByte = (opcode & 1) == 0 && opcode is not (0x0FBA);
        switch (opcode)
        {
            case 0x88 or 0x89 or 0x86 or 0x87 or 0x0FB0 or 0x0FB1 or 0x08 or 0x09 or 0x20 or 0x21 or 0x30 or 0x31 or 0x00 or 0x01 or 0x28 or 0x29:
            case 0xC6 or 0xC7 or 0x80 or 0x81:
                break;
            case 0x83 or 0x0FBA or 0x0FAB or 0x0FB3 or 0x0FBB:
                isByte = false;
                break;
            default:
                return false;
        }

        write.Bytes = isByte ? 1 : bytes;
        if (isByte && rex == 0 && number is >= 4 and <= 7 && opcode is not (0x80 or 0xC6))
        {
            // AH, CH, DH, BH: no kernel writes an entry with them.
            return false;
        }

        ulong mask = write.Bytes == 8 ? ~0UL : (1UL << (write.Bytes * 8)) - 1;
        ulong operand = GeneralRegisters.Select(ref registers, number) & mask;
        current &= mask;
        write.Old = current;
        ulong immediate = 0;
        if (opcode is 0xC6 or 0x80 or 0x83 or 0x0FBA && !TryImmediate(code.Slice(0, length), ref at, 1, out immediate))
        {
            return false;
        }

        if (opcode is 0xC7 or 0x81 && !TryImmediate(code.Slice(0, length), ref at, write.Bytes == 2 ? 2 : 4, out immediate))
        {
            return false;
        }

        write.Length = at;
        int operation = (modRm >> 3) & 7;
        switch (opcode)
        {
            case 0x88 or 0x89:
                write.Value = operand;
                return true;
            case 0xC6 or 0xC7 when operation == 0:
                write.Value = immediate & mask;
                return true;
            case 0x86 or 0x87:
                write.Value = operand;
                write.OldTo = number;
                return true;
            case 0x0FB0 or 0x0FB1:
                CompareExchange(ref registers, ref write, operand, mask);
                return true;
            case 0x08 or 0x09: return Arithmetic(ref write, 1, current, operand, mask);
            case 0x20 or 0x21: return Arithmetic(ref write, 4, current, operand, mask);
            case 0x30 or 0x31: return Arithmetic(ref write, 6, current, operand, mask);
            case 0x00 or 0x01: return Arithmetic(ref write, 0, current, operand, mask);
            case 0x28 or 0x29: return Arithmetic(ref write, 5, current, operand, mask);
            case 0x80 or 0x81 or 0x83: return Arithmetic(ref write, operation, current, immediate & mask, mask);
            case 0x0FBA when operation >= 5: return Bit(ref write, operation - 4, current, (int)immediate);
            case 0x0FAB: return operand < (ulong)write.Bytes * 8 && Bit(ref write, 1, current, (int)operand);
            case 0x0FB3: return operand < (ulong)write.Bytes * 8 && Bit(ref write, 2, current, (int)operand);
            case 0x0FBB: return operand < (ulong)write.Bytes * 8 && Bit(ref write, 3, current, (int)operand);
            default: return false;
        }
    }

    /// <summary>Steps over the instruction and gives its register and flags their results.</summary>
    internal static void Complete(ref GuestRegisters registers, in Write write)
    {
        registers.Rdi += (ulong)(long)write.StringStep;
        if (!write.Repeats || --registers.Rcx == 0)
        {
            registers.Rip += (ulong)write.Length;
        }

        registers.Rflags = write.Rflags & ~RflagsBits.Resume;
        if (write.OldTo >= 0)
        {
            ref ulong register = ref GeneralRegisters.Select(ref registers, write.OldTo);
            register = write.Bytes switch
            {
                8 or 4 => write.Old,
                2 => (register & ~0xFFFFUL) | write.Old,
                _ => (register & ~0xFFUL) | write.Old,
            };
        }
    }

    private static void StoreString(ref GuestRegisters registers, ref Write write, int bytes, int length)
    {
        write.Bytes = bytes;
        write.Length = length;
        write.Value = bytes == 8 ? registers.Rax : registers.Rax & ((1UL << (bytes * 8)) - 1);
        write.StringStep = (registers.Rflags & RflagsBits.Direction) != 0 ? -bytes : bytes;
    }

    private static void CompareExchange(ref GuestRegisters registers, ref Write write, ulong operand, ulong mask)
    {
        bool equal = (registers.Rax & mask) == write.Old;
        write.Stores = equal;
        write.Value = operand;
        write.OldTo = equal ? -1 : 0;
        write.Rflags = equal ? write.Rflags | RflagsBits.Zero : write.Rflags & ~RflagsBits.Zero;
    }

    /// <summary>The ALU operations by their number in opcode 80..83; flags Z, S, C, O, P as far as kernels look at them.</summary>
    private static bool Arithmetic(ref Write write, int operation, ulong left, ulong right, ulong mask)
    {
        ulong result;
        bool carry = false;
        switch (operation)
        {
            case 0: result = (left + right) & mask; carry = result < left; break;
            case 1: result = left | right; break;
            case 4: result = left & right; break;
            case 5: result = (left - right) & mask; carry = left < right; break;
            case 6: result = left ^ right; break;
            default: return false;
        }

        write.Value = result;
        ulong sign = (mask >> 1) + 1;
        ulong flags = write.Rflags & ~(RflagsBits.Zero | RflagsBits.Sign | RflagsBits.Carry | RflagsBits.Overflow | RflagsBits.Parity);
        flags |= result == 0 ? RflagsBits.Zero : 0;
        flags |= (result & sign) != 0 ? RflagsBits.Sign : 0;
        flags |= carry ? RflagsBits.Carry : 0;
        if (operation is 0 or 5)
        {
            ulong other = operation == 0 ? right : ~right;
            flags |= (~(left ^ other) & (left ^ result) & sign) != 0 ? RflagsBits.Overflow : 0;
        }

        write.Rflags = flags | (EvenParity((byte)result) ? RflagsBits.Parity : 0);
        return true;
    }

    private static bool EvenParity(byte value)
    {
        int folded = value ^ (value >> 4);
        return ((0x6996 >> (folded & 15)) & 1) == 0;
    }

    /// <summary>BTS, BTR, BTC: 1, 2, 3.</summary>
    private static bool Bit(ref Write write, int operation, ulong current, int bit)
    {
        ulong mask = 1UL << (bit & ((write.Bytes * 8) - 1));
        write.Value = operation switch { 1 => current | mask, 2 => current & ~mask, _ => current ^ mask };
        write.Rflags = (current & mask) != 0 ? write.Rflags | RflagsBits.Carry : write.Rflags & ~RflagsBits.Carry;
        return true;
    }

    private static bool TryImmediate(ReadOnlySpan<byte> code, ref int at, int bytes, out ulong value)
    {
        value = 0;
        if (at + bytes > code.Length)
        {
            return false;
        }

        for (int i = 0; i < bytes; i++)
        {
            value |= (ulong)code[at++] << (i * 8);
        }

        int unused = 64 - (bytes * 8);
        value = (ulong)((long)(value << unused) >> unused);
        return true;
    }

    private static bool TrySkipOperand(ReadOnlySpan<byte> code, ref int at)
    {
        byte modRm = code[at++];
        int mode = modRm >> 6;
        int register = modRm & 7;
        int displacement = mode switch { 1 => 1, 2 => 4, _ => 0 };
        if (register == 4)
        {
            if (at >= code.Length)
            {
                return false;
            }

            if (mode == 0 && (code[at] & 7) == 5)
            {
                displacement = 4;
            }

            at++;
        }
        else if (mode == 0 && register == 5)
        {
            displacement = 4;
        }

        at += displacement;
        return at <= code.Length;
    }
}
