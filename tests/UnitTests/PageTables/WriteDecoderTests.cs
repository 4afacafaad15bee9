// Instructions that write page tables: decoded here, executed by a real processor.
using System.Collections.Generic;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

public sealed class WriteDecoderTests
{
    private const ulong Carry = 1;
    private const ulong Arithmetic = Carry | (1 << 2) | (1 << 6) | (1 << 7) | (1 << 11);

    // Opcode, bytes of an immediate (4: 2 with an operand prefix), opcode extension of group instructions or -1, flags that are defined.
    private static readonly (int Opcode, int Immediate, int Extension, ulong Flags)[] s_forms =
    [
        (0x88, 0, -1, 0), (0x89, 0, -1, 0), (0xC6, 1, 0, 0), (0xC7, 4, 0, 0), (0x86, 0, -1, 0), (0x87, 0, -1, 0),
        (0x0FB0, 0, -1, 1 << 6), (0x0FB1, 0, -1, 1 << 6),
        (0x08, 0, -1, Arithmetic), (0x09, 0, -1, Arithmetic), (0x20, 0, -1, Arithmetic), (0x21, 0, -1, Arithmetic), (0x30, 0, -1, Arithmetic),
        (0x31, 0, -1, Arithmetic), (0x00, 0, -1, Arithmetic), (0x01, 0, -1, Arithmetic), (0x28, 0, -1, Arithmetic), (0x29, 0, -1, Arithmetic),
        (0x80, 1, 0, Arithmetic), (0x80, 1, 1, Arithmetic), (0x80, 1, 4, Arithmetic), (0x80, 1, 5, Arithmetic), (0x80, 1, 6, Arithmetic),
        (0x81, 4, 0, Arithmetic), (0x81, 4, 1, Arithmetic), (0x81, 4, 4, Arithmetic), (0x81, 4, 5, Arithmetic), (0x81, 4, 6, Arithmetic),
        (0x83, 1, 0, Arithmetic), (0x83, 1, 1, Arithmetic), (0x83, 1, 4, Arithmetic), (0x83, 1, 5, Arithmetic), (0x83, 1, 6, Arithmetic),
        (0x0FBA, 1, 5, Carry), (0x0FBA, 1, 6, Carry), (0x0FBA, 1, 7, Carry), (0x0FAB, 0, -1, Carry), (0x0FB3, 0, -1, Carry), (0x0FBB, 0, -1, Carry),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void HasTheEffectThatTheProcessorHas(int seed)
    {
        TestDomain domain = TestDomain.Create();
        Random random = new(seed);
        for (int round = 0; round < 20_000; round++)
        {
            (int opcode, int immediate, int extension, ulong flags) = s_forms[random.Next(s_forms.Length)];
            byte[] code = Encode(random, opcode, immediate, extension);
            RealInstruction.State real = new()
            {
                Memory = Number(random),
                Rax = Number(random),
                Rcx = Number(random),
                Rdx = Number(random),
                R9 = Number(random),
                Rflags = 0x202 | ((ulong)random.Next(0x1000) & Arithmetic),
            };
            if (random.Next(3) == 0)
            {
                real.Rax = real.Memory;
            }

            bool isBitOfRegister = opcode is 0x0FAB or 0x0FB3 or 0x0FBB;
            if (isBitOfRegister)
            {
                // A bit number beyond the operand would reach other memory: such a form is refused, and not executed here.
                (real.Rax, real.Rcx, real.Rdx, real.R9) = (real.Rax & 15, real.Rcx & 15, real.Rdx & 15, real.R9 & 15);
            }

            ref GuestRegisters registers = ref domain.Vcpu(0).Context.Registers;
            registers = new GuestRegisters { Rip = domain.Arguments, Rax = real.Rax, Rcx = real.Rcx, Rdx = real.Rdx, R9 = real.R9, Rflags = real.Rflags };
            domain.ArgumentBytes[..32].Fill(0x90);
            code.CopyTo(domain.ArgumentBytes);
            string name = $"seed {seed} round {round}: {Convert.ToHexString(code)}";
            ulong memory = real.Memory;
            Assert.True(TryDecode(ref registers, memory, out WriteDecoder.Write write), $"{name} is refused");
            RealInstruction.Run(code, ref real);
            if (write.Stores)
            {
                ulong mask = write.Bytes == 8 ? ~0UL : (1UL << (write.Bytes * 8)) - 1;
                memory = (memory & ~mask) | (write.Value & mask);
            }

            WriteDecoder.Complete(ref registers, in write);
            Assert.True(memory == real.Memory, $"{name} leaves {memory:X}, really {real.Memory:X}");
            Assert.True(registers.Rip == domain.Arguments + (ulong)code.Length, $"{name} has {write.Length} bytes");
            Assert.True(
                (registers.Rax, registers.Rcx, registers.Rdx, registers.R9) == (real.Rax, real.Rcx, real.Rdx, real.R9),
                $"{name}: RAX {registers.Rax:X}, really {real.Rax:X}; RCX {registers.Rcx:X}, really {real.Rcx:X}; RDX {registers.Rdx:X}, really {real.Rdx:X}");
            Assert.True((registers.Rflags & flags) == (real.Rflags & flags), $"{name}: flags {registers.Rflags & flags:X}, really {real.Rflags & flags:X}");
        }
    }

    /// <summary>Whatever stands at RIP, the decoder ends, and never claims more than an instruction may have.</summary>
    [Fact]
    public void SurvivesRandomCode()
    {
        TestDomain domain = TestDomain.Create(vcpus: 1);
        Random random = new(47);
        byte[] code = new byte[32];
        for (int round = 0; round < 100_000; round++)
        {
            random.NextBytes(code);
            int place = random.Next(2) == 0 ? 0 : 4096 - random.Next(1, 16);
            code.AsSpan(0, Math.Min(32, 4096 - place)).CopyTo(domain.ArgumentBytes[place..]);
            ref GuestRegisters registers = ref domain.Vcpu(0).Context.Registers;
            registers.Rip = domain.Arguments + (ulong)place;
            if (TryDecode(ref registers, (ulong)random.NextInt64(), out WriteDecoder.Write write))
            {
                Assert.InRange(write.Length, 1, Math.Min(15, 4096 - place));
                Assert.Contains(write.Bytes, (IEnumerable<int>)[1, 2, 4, 8]);
            }
        }
    }

    /// <summary>The decoder is given the first eight bytes where they can be read at once.</summary>
    private static bool TryDecode(ref GuestRegisters registers, ulong memory, out WriteDecoder.Write write)
    {
        GuestMemory.TryRead(new GuestAddress(registers.Rip), out ulong head);
        return WriteDecoder.TryDecode(ref registers, head, memory, out write);
    }

    private static ulong Number(Random random) => random.Next(3) switch
    {
        0 => (ulong)random.Next(256),
        1 => 0UL - (ulong)random.Next(1, 256),
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };

    private static byte[] Encode(Random random, int opcode, int immediate, int extension)
    {
        List<byte> code = [];
        bool isByte = opcode is not (0x83 or 0x0FBA or 0x0FAB or 0x0FB3 or 0x0FBB) && (opcode & 1) == 0;
        bool locks = opcode is not (0x88 or 0x89 or 0xC6 or 0xC7) && random.Next(3) == 0;
        int width = isByte ? 1 : random.Next(3) switch { 0 => 2, 1 => 4, _ => 8 };
        if (locks)
        {
            code.Add(0xF0);
        }

        if (width == 2)
        {
            code.Add(0x66);
        }

        int register = extension >= 0 ? extension : random.Next(4) switch { 0 => 0, 1 => 1, 2 => 2, _ => 9 };
        int rex = (width == 8 ? 8 : 0) | (register >= 8 ? 4 : 0);
        if (rex != 0 || random.Next(6) == 0)
        {
            code.Add((byte)(0x40 | rex));
        }

        if (opcode > 0xFF)
        {
            code.Add(0x0F);
        }

        code.Add((byte)opcode);
        int field = (register & 7) << 3;
        switch (random.Next(4))
        {
            case 0: code.Add((byte)(field | 3)); break;
            case 1: code.AddRange([(byte)(0x40 | field | 3), 0]); break;
            case 2: code.AddRange([(byte)(0x80 | field | 3), 0, 0, 0, 0]); break;
            default: code.AddRange([(byte)(field | 4), 0x23]); break;
        }

        int bytes = immediate == 4 && width == 2 ? 2 : immediate;
        for (int i = 0; i < bytes; i++)
        {
            code.Add((byte)random.Next(256));
        }

        return [.. code];
    }
}
