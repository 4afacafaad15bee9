// The registers of x87, SSE and AVX.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>Loads all of them with a pattern, runs instructions, stores all of them, and compares.</summary>
internal static unsafe class VectorRegisters
{
    private const ulong OsXsave = 0x4_0000;
    private const int Count = 16;
    private const int Control = 1024;
    private const int DefaultControl = Control + 24;

    private static byte* s_code;
    private static byte* s_at;
    private static byte* s_before;
    private static byte* s_after;
    private static int s_width;

    /// <summary>Bytes of a register: 32 once AVX is on.</summary>
    internal static int Width => s_width;

    /// <summary>Makes the pattern, which the seed decides.</summary>
    internal static void Start(ulong seed)
    {
        s_code = Memory.TakePage();
        s_before = Memory.TakePage();
        s_after = Memory.TakePage();
        s_width = 16;
        for (int i = 0; i < Control; i++)
        {
            seed = (seed * 6364136223846793005) + 1442695040888963407;
            s_before[i] = (byte)(seed >> 56);
        }

        // MXCSR with flush to zero, the x87 control word of extended precision, a number, MXCSR as C# needs it.
        *(ulong*)(s_before + Control) = 0x9F80;
        *(ulong*)(s_before + Control + 8) = 0x37F;
        *(ulong*)(s_before + Control + 16) = 0x3FF0_0000_0000_0000 | (seed >> 12);
        *(ulong*)(s_before + DefaultControl) = 0x1F80;
    }

    /// <summary>Switches AVX on; false where there is none.</summary>
    internal static bool TryWiden()
    {
        const ulong XsaveAndAvx = (1 << 26) | (1 << 28);
        ProbeRegisters registers = new() { Rax = 1 };
        Traps.Try([0x0F, 0x0B, 0x78, 0x65, 0x6E, 0x0F, 0xA2], ref registers);
        if ((registers.Rcx & XsaveAndAvx) != XsaveAndAvx)
        {
            return false;
        }

        Traps.Try([0x0F, 0x20, 0xE0], ref registers);
        registers.Rax |= OsXsave;
        Traps.Try([0x0F, 0x22, 0xE0], ref registers);
        registers = new ProbeRegisters { Rax = 7 };
        if (Traps.Try([0x0F, 0x01, 0xD1], ref registers) != Traps.None)
        {
            return false;
        }

        s_width = 32;
        return true;
    }

    /// <summary>Whether all registers are what they were after instructions that may use the general registers except R12.</summary>
    internal static bool Survive(ReadOnlySpan<byte> instructions, ulong rax = 0)
    {
        s_at = s_code;
        for (int i = 0; i < Count; i++)
        {
            Move(i, false);
        }

        // ldmxcsr [rbx+1024]; fninit; fldcw [rbx+1032]; fld qword [rbx+1040]
        Emit([0x0F, 0xAE, 0x93, 0, 4, 0, 0, 0xDB, 0xE3, 0xD9, 0xAB, 8, 4, 0, 0, 0xDD, 0x83, 16, 4, 0, 0]);

        // mov rbx, r12 behind the instructions: forced CPUID and the like write RBX.
        Emit(instructions);
        Emit([0x4C, 0x89, 0xE3]);
        for (int i = 0; i < Count; i++)
        {
            Move(i, true);
        }

        // stmxcsr [rbx+1024]; fnstcw [rbx+1032]; fstp qword [rbx+1040]; fninit; ldmxcsr [rbx+1048]; ret
        Emit([0x0F, 0xAE, 0x9B, 0, 4, 0, 0, 0xD9, 0xBB, 8, 4, 0, 0, 0xDD, 0x9B, 16, 4, 0, 0, 0xDB, 0xE3, 0x0F, 0xAE, 0x93, 24, 4, 0, 0, 0xC3]);
        for (int i = 0; i < DefaultControl; i++)
        {
            s_after[i] = 0;
        }

        *(ulong*)(s_after + DefaultControl) = 0x1F80;
        ProbeRegisters registers = new() { Rbx = (ulong)s_before, R12 = (ulong)s_after, Rax = rax };
        return Traps.Try(s_code, ref registers) == Traps.None
            && new ReadOnlySpan<byte>(s_before, Count * s_width).SequenceEqual(new ReadOnlySpan<byte>(s_after, Count * s_width))
            && new ReadOnlySpan<byte>(s_before + Control, 24).SequenceEqual(new ReadOnlySpan<byte>(s_after + Control, 24));
    }

    private static void Emit(ReadOnlySpan<byte> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            *s_at++ = values[i];
        }
    }

    private static void Emit(byte value) => *s_at++ = value;

    /// <summary>A move of register n to or from memory at RBX.</summary>
    private static void Move(int n, bool store)
    {
        if (s_width == 32)
        {
            Emit(0xC5);
            Emit(n < 8 ? (byte)0xFC : (byte)0x7C);
        }
        else
        {
            if (n >= 8)
            {
                Emit(0x44);
            }

            Emit(0x0F);
        }

        Emit(store ? (byte)0x11 : (byte)0x10);
        Emit((byte)(0x83 | ((n & 7) << 3)));
        *(int*)s_at = n * s_width;
        s_at += 4;
    }
}
