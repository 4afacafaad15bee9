// Executes one instruction on the processor that runs the tests: the best judge of what it does.
using System.Runtime.InteropServices;

namespace Xenolith.UnitTests.Support;

/// <summary>The instruction may use RAX, RCX, RDX, R9 and memory at [RBX], where <see cref="State.Memory"/> lies.</summary>
internal static unsafe partial class RealInstruction
{
    private const int ReadWriteExecute = 7;
    private const int PrivateAnonymous = 0x22;

    private static readonly byte* s_code = Map(0, 4096, ReadWriteExecute, PrivateAnonymous, -1, 0);

    internal static void Run(ReadOnlySpan<byte> instruction, ref State state)
    {
        // push rbx; rbx = state; rax, rcx, rdx, r9 and the flags from it
        ReadOnlySpan<byte> before =
        [
            0x53, 0x48, 0x89, 0xFB, 0x48, 0x8B, 0x43, 0x08, 0x48, 0x8B, 0x4B, 0x10, 0x48, 0x8B, 0x53, 0x18, 0x4C, 0x8B, 0x4B, 0x20, 0xFF, 0x73, 0x28, 0x9D,
        ];

        // the flags and the registers back into it; pop rbx; ret
        ReadOnlySpan<byte> after =
        [
            0x9C, 0x8F, 0x43, 0x28, 0x48, 0x89, 0x43, 0x08, 0x48, 0x89, 0x4B, 0x10, 0x48, 0x89, 0x53, 0x18, 0x4C, 0x89, 0x4B, 0x20, 0x5B, 0xC3,
        ];
        Span<byte> code = new(s_code, 4096);
        before.CopyTo(code);
        instruction.CopyTo(code[before.Length..]);
        after.CopyTo(code[(before.Length + instruction.Length)..]);
        fixed (State* pointer = &state)
        {
            // SAFETY: the code touches the state, the registers that a callee may use, and gives RBX back.
            ((delegate* unmanaged<State*, void>)s_code)(pointer);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial byte* Map(nint address, nint length, int protection, int flags, int file, nint offset);

    /// <summary>What goes in and comes out.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct State
    {
        internal ulong Memory;
        internal ulong Rax;
        internal ulong Rcx;
        internal ulong Rdx;
        internal ulong R9;
        internal ulong Rflags;
    }
}
