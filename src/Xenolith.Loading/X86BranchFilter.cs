// The branch converter that xz applies to x86 code.
using System.Buffers.Binary;

namespace Xenolith.Loading;

/// <summary>
/// Turns the absolute targets of CALL and JMP (E8, E9) back into relative ones. The encoder converts a candidate only if its top byte
/// is 00 or FF and recent opcode bytes do not make it look like data; the same bookkeeping undoes it.
/// </summary>
internal static class X86BranchFilter
{
    private const int InstructionBytes = 5;
    private const ulong OnesInBytes = 0x0101_0101_0101_0101;
    private const ulong HighBits = 0x8080_8080_8080_8080;
    private const ulong OpcodeInBytes = 0xE8E8_E8E8_E8E8_E8E8;

    // By the last three bytes' "was an opcode" bits: may the operand be converted, and which byte of it must be checked first.
    private static ReadOnlySpan<byte> MayConvert => [1, 1, 1, 0, 1, 0, 0, 0];

    private static ReadOnlySpan<byte> SuspectByte => [0, 1, 2, 2, 3, 3, 3, 3];

    /// <summary>Undoes the conversion in a whole block, whose first byte is at position 0.</summary>
    internal static void Undo(Span<byte> code)
    {
        int previous = -1;
        uint mask = 0;
        int last = code.Length - InstructionBytes;
        for (int at = FindOpcode(code, 0, last); at <= last; at = FindOpcode(code, at + 1, last))
        {
            int distance = at - previous;
            previous = at;
            if (distance > 3)
            {
                mask = 0;
            }
            else
            {
                mask = (mask << (distance - 1)) & 7;
                if (mask != 0)
                {
                    byte suspect = code[at + 4 - SuspectByte[(int)mask]];
                    if (MayConvert[(int)mask] == 0 || IsSignByte(suspect))
                    {
                        mask = (mask << 1) | 1;
                        continue;
                    }
                }
            }

            if (!IsSignByte(code[at + 4]))
            {
                mask = (mask << 1) | 1;
                continue;
            }

            uint source = BinaryPrimitives.ReadUInt32LittleEndian(code.Slice(at + 1));
            uint target;
            while (true)
            {
                target = source - (uint)(at + InstructionBytes);
                if (mask == 0)
                {
                    break;
                }

                int shift = SuspectByte[(int)mask] * 8;
                if (!IsSignByte((byte)(target >> (24 - shift))))
                {
                    break;
                }

                source = target ^ ((1u << (32 - shift)) - 1);
            }

            target &= 0x01FF_FFFF;
            target |= 0u - (target & 0x0100_0000);
            BinaryPrimitives.WriteUInt32LittleEndian(code.Slice(at + 1), target);
            at += InstructionBytes - 1;
            mask = 0;
            previous = at;
        }
    }

    private static bool IsSignByte(byte value) => value is 0x00 or 0xFF;

    /// <summary>The first E8 or E9 at or after a position; beyond <paramref name="last"/> when there is none.</summary>
    private static int FindOpcode(ReadOnlySpan<byte> code, int at, int last)
    {
        while (at <= last)
        {
            if (at <= code.Length - 8)
            {
                ulong word = BinaryPrimitives.ReadUInt64LittleEndian(code.Slice(at));
                ulong differing = (word & ~OnesInBytes) ^ OpcodeInBytes;
                if (((differing - OnesInBytes) & ~differing & HighBits) == 0)
                {
                    at += 8;
                    continue;
                }
            }

            if ((code[at] & 0xFE) == 0xE8)
            {
                return at;
            }

            at++;
        }

        return at;
    }
}
