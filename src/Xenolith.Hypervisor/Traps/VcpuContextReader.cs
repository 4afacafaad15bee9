// The state of a vcpu as the toolstack reads it.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;
using Layout = Xenolith.Abi.VcpuGuestContextLayout;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Fills a struct vcpu_guest_context with what <see cref="VcpuContextLoader"/> makes the same vcpu of.</summary>
internal static class VcpuContextReader
{
    /// <summary>The vcpu's state is in memory. False: the address cannot be written.</summary>
    internal static bool TryWrite(ref Vcpu vcpu, GuestAddress at)
    {
        VcpuContextWords.Clear();
        FillVectors(ref vcpu);
        FillRegisters(ref vcpu);
        FillTables(ref vcpu);
        FillControl(ref vcpu);
        return VcpuContextWords.TryWriteTo(at);
    }

    private static void FillVectors(ref Vcpu vcpu)
    {
        Fpu.StoreKept(vcpu.FpuArea, in vcpu.Context.Kept);
        for (int offset = 0; offset < Layout.FloatingPointBytes; offset += 8)
        {
            VcpuContextWords.At(Layout.FloatingPoint + offset) = PhysicalMemory.Word(vcpu.FpuArea, offset / 8);
        }
    }

    private static void FillRegisters(ref Vcpu vcpu)
    {
        GuestRegisters registers = vcpu.Context.Registers;
        int at = Layout.Registers;
        Put(ref at, registers.R15);
        Put(ref at, registers.R14);
        Put(ref at, registers.R13);
        Put(ref at, registers.R12);
        Put(ref at, registers.Rbp);
        Put(ref at, registers.Rbx);
        Put(ref at, registers.R11);
        Put(ref at, registers.R10);
        Put(ref at, registers.R9);
        Put(ref at, registers.R8);
        Put(ref at, registers.Rax);
        Put(ref at, registers.Rcx);
        Put(ref at, registers.Rdx);
        Put(ref at, registers.Rsi);
        Put(ref at, registers.Rdi);
        Put(ref at, registers.ErrorCode | ((ulong)registers.Vector << 32));
        Put(ref at, registers.Rip);
        Put(ref at, registers.Cs & 0xFFFF);
        Put(ref at, registers.Rflags | ((ulong)vcpu.Traps.Iopl << 12));
        Put(ref at, registers.Rsp);
        Put(ref at, registers.Ss & 0xFFFF);
        Put(ref at, vcpu.Traps.Es);
        Put(ref at, vcpu.Traps.Ds);
        Put(ref at, vcpu.Traps.Fs);
        Put(ref at, vcpu.Traps.Gs);
    }

    private static void FillTables(ref Vcpu vcpu)
    {
        for (int vector = 0; vector < 256; vector++)
        {
            TrapInfo entry = vcpu.Traps.Table[vector];
            int at = Layout.TrapTable + (vector * 16);
            VcpuContextWords.At(at) = (uint)vector | ((ulong)entry.Flags << 8) | ((ulong)entry.Cs << 16);
            VcpuContextWords.At(at + 8) = entry.Address;
        }

        VcpuContextWords.At(Layout.LdtBase) = vcpu.Traps.LdtBase;
        VcpuContextWords.At(Layout.LdtEntries) = (ulong)vcpu.Traps.LdtEntries;
        VcpuContextWords.At(Layout.GdtEntries) = (ulong)vcpu.Traps.GdtEntries;
        for (int page = 0; page < (vcpu.Traps.GdtEntries + 511) / 512; page++)
        {
            VcpuContextWords.At(Layout.GdtFrames + (page * 8)) = vcpu.Traps.Gdt[page].Value;
        }
    }

    private static void FillControl(ref Vcpu vcpu)
    {
        ref VcpuContext context = ref vcpu.Context;
        bool inKernel = context.InKernel != 0;
        ulong flags = Layout.FloatingPointValid;
        flags |= inKernel ? Layout.InKernel : 0;
        flags |= vcpu.Traps.FailsafeMasksEvents ? Layout.FailsafeMasksEvents : 0;
        flags |= context.SyscallMasksEvents != 0 ? Layout.SyscallMasksEvents : 0;
        flags |= vcpu.Schedule.IsUp ? Layout.Online : 0;
        VcpuContextWords.At(Layout.Flags) = flags;
        VcpuContextWords.At(Layout.KernelSs) = vcpu.Traps.KernelSs;
        VcpuContextWords.At(Layout.KernelSp) = vcpu.Traps.KernelSp;
        ControlRegisterEmulation.TryRead(ref vcpu, 0, out VcpuContextWords.At(Layout.Cr0));
        VcpuContextWords.At(Layout.KernelRoot) = context.KernelRoot;
        VcpuContextWords.At(Layout.UserRoot) = context.UserRoot == 0 ? 0 : context.UserRoot | 1;
        VcpuContextWords.At(Layout.Cr4) = vcpu.Traps.Cr4;
        for (int number = 0; number < 8; number++)
        {
            if (number is not (4 or 5))
            {
                DebugRegisterEmulation.TryRead(ref vcpu, number, out VcpuContextWords.At(Layout.DebugRegisters + (number * 8)));
            }
        }

        VcpuContextWords.At(Layout.EventCallback) = vcpu.Traps.EventCallback;
        VcpuContextWords.At(Layout.FailsafeCallback) = vcpu.Traps.FailsafeCallback;
        VcpuContextWords.At(Layout.SyscallCallback) = context.SyscallCallback;
        VcpuContextWords.At(Layout.Assists) = vcpu.Domain.Assists;
        VcpuContextWords.At(Layout.FsBase) = vcpu.Traps.FsBase;
        VcpuContextWords.At(Layout.GsBaseKernel) = inKernel ? vcpu.Traps.GsBase : context.KernelGsBase;
        VcpuContextWords.At(Layout.GsBaseUser) = inKernel ? context.UserGsBase : vcpu.Traps.GsBase;
    }

    private static void Put(ref int offset, ulong value)
    {
        VcpuContextWords.At(offset) = value;
        offset += 8;
    }
}
