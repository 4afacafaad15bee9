// The state that a vcpu is given from outside: by its guest at its start, or by the toolstack.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Hypercalls;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Layout = Xenolith.Abi.VcpuGuestContextLayout;

namespace Xenolith.Hypervisor.Traps;

/// <summary>
/// struct vcpu_guest_context (public arch-x86/xen.h): copied once and checked; then the tables it names are taken, in steps that a
/// preemption can interrupt; then nothing can fail any more.
/// </summary>
internal static class VcpuContextLoader
{
    private const ulong AddressMask = ~0xFFFUL;
    private const ulong MaximumLdtEntries = 8192;
    private const int EntriesPerPage = 512;
    private const int RipOffset = 128;

    /// <summary>
    /// The vcpu does not run, and its state is in memory. <paramref name="isComplete"/>: what the toolstack may say beyond what a guest
    /// may of its own vcpu, whether it is online among it. Errors: Fault, Invalid, NotSupported (other tables than the vcpu has), Restart.
    /// </summary>
    internal static XenError TryLoad(ref Vcpu caller, ref Vcpu vcpu, GuestAddress at, bool isComplete, ref Preemption preemption)
    {
        if (caller.Memory.HasDeferred && !DeferredWork.TryFinish(ref caller, ref preemption))
        {
            return XenError.Restart;
        }

        if (!VcpuContextWords.TryReadFrom(at))
        {
            return XenError.Fault;
        }

        if (!IsValid())
        {
            return XenError.Invalid;
        }

        XenError error = vcpu.IsInitialized ? CheckTables(ref vcpu) : TryTakeTables(ref caller, ref vcpu, ref preemption);
        if (error != XenError.None)
        {
            return error;
        }

        Commit(ref vcpu);
        if (isComplete)
        {
            CommitRest(ref vcpu);
        }

        return XenError.None;
    }

    /// <summary>Takes all state away: the vcpu is offline, as it was made. Error: Restart.</summary>
    internal static XenError TryReset(ref Vcpu caller, ref Vcpu vcpu, ref Preemption preemption)
    {
        if (vcpu.Schedule.IsUp)
        {
            Scheduler.Down(ref vcpu);
        }

        vcpu.IsInitialized = false;
        SetGdtHypercall.Release(ref vcpu);
        LocalDescriptorTable.DropWindow(ref vcpu);
        vcpu.Traps.LdtEntries = 0;
        XenError error = TrySetRoot(ref caller, ref vcpu, ref vcpu.Context.UserRoot, 0, ref preemption);
        return error == XenError.None ? TrySetRoot(ref caller, ref vcpu, ref vcpu.Context.KernelRoot, 0, ref preemption) : error;
    }

    private static bool IsValid()
    {
        if (Word(Layout.GdtEntries) > VcpuTraps.MaximumGdtEntries || Word(Layout.LdtEntries) > MaximumLdtEntries)
        {
            return false;
        }

        ulong ldt = Word(Layout.LdtBase);
        bool isValid = Word(Layout.LdtEntries) == 0 || ((ldt & ~AddressMask) == 0 && new GuestAddress(ldt).IsGuestRange(Word(Layout.LdtEntries) * 8));
        isValid &= GuestAddress.IsCanonical(Word(Layout.Registers + RipOffset)) && GuestAddress.IsCanonical(Word(Layout.EventCallback))
            && GuestAddress.IsCanonical(Word(Layout.FailsafeCallback)) && GuestAddress.IsCanonical(Word(Layout.SyscallCallback))
            && GuestAddress.IsCanonical(Word(Layout.FsBase)) && GuestAddress.IsCanonical(Word(Layout.GsBaseKernel))
            && GuestAddress.IsCanonical(Word(Layout.GsBaseUser));
        for (int vector = 0; vector < 256 && isValid; vector++)
        {
            isValid = GuestAddress.IsCanonical(Word(Layout.TrapTable + (vector * 16) + 8));
        }

        return isValid;
    }

    /// <summary>A vcpu that has run keeps its tables: the toolstack only changes its registers.</summary>
    private static XenError CheckTables(ref Vcpu vcpu)
    {
        bool isSame = vcpu.Context.KernelRoot == (Word(Layout.KernelRoot) & AddressMask)
            && (Word(Layout.UserRoot) == 0 || vcpu.Context.UserRoot == (Word(Layout.UserRoot) & AddressMask))
            && (ulong)vcpu.Traps.LdtEntries == Word(Layout.LdtEntries) && (vcpu.Traps.LdtEntries == 0 || vcpu.Traps.LdtBase == Word(Layout.LdtBase))
            && (ulong)vcpu.Traps.GdtEntries == Word(Layout.GdtEntries);
        for (int page = 0; page < GdtPages(vcpu.Traps.GdtEntries) && isSame; page++)
        {
            isSame = vcpu.Traps.Gdt[page].Value == Word(Layout.GdtFrames + (page * 8));
        }

        return isSame ? XenError.None : XenError.NotSupported;
    }

    /// <summary>Roots, which may take long and are kept over a restart; then the GDT.</summary>
    private static XenError TryTakeTables(ref Vcpu caller, ref Vcpu vcpu, ref Preemption preemption)
    {
        ulong kernelRoot = Word(Layout.KernelRoot) & AddressMask;
        XenError error = kernelRoot == 0 ? XenError.Invalid : TrySetRoot(ref caller, ref vcpu, ref vcpu.Context.KernelRoot, kernelRoot, ref preemption);
        if (error == XenError.None)
        {
            error = TrySetRoot(ref caller, ref vcpu, ref vcpu.Context.UserRoot, Word(Layout.UserRoot) & AddressMask, ref preemption);
        }

        if (error == XenError.None)
        {
            int entries = (int)Word(Layout.GdtEntries);
            VcpuTraps.GdtFrames frames = default;
            for (int page = 0; page < GdtPages(entries); page++)
            {
                frames[page] = new Mfn(Word(Layout.GdtFrames + (page * 8)));
            }

            error = SetGdtHypercall.Apply(ref vcpu, frames, entries);
        }

        if (error is not (XenError.None or XenError.Restart))
        {
            GiveUp(ref caller, ref vcpu, ref preemption);
        }

        return error;
    }

    /// <summary>
    /// What was taken for a context that turned out to be bad goes back. The caller can owe only one table; a root for which there is no
    /// room then stays until the vcpu is given another context, or ends.
    /// </summary>
    private static void GiveUp(ref Vcpu caller, ref Vcpu vcpu, ref Preemption preemption)
    {
        if (!caller.Memory.HasDeferred)
        {
            TrySetRoot(ref caller, ref vcpu, ref vcpu.Context.UserRoot, 0, ref preemption);
        }

        if (!caller.Memory.HasDeferred)
        {
            TrySetRoot(ref caller, ref vcpu, ref vcpu.Context.KernelRoot, 0, ref preemption);
        }
    }

    /// <summary>Makes the slot hold a root, or none. Errors: Invalid, Restart.</summary>
    private static XenError TrySetRoot(ref Vcpu caller, ref Vcpu vcpu, ref ulong slot, ulong root, ref Preemption preemption)
    {
        if (slot == root)
        {
            return XenError.None;
        }

        if (slot != 0)
        {
            Mfn old = new MachineAddress(slot).Frame;
            slot = 0;
            if (!PageTypes.TryDrop(ref vcpu.Domain, old, ref preemption))
            {
                DeferredWork.Set(ref caller, old);
                return XenError.Restart;
            }
        }

        if (root == 0)
        {
            return XenError.None;
        }

        Mfn table = new MachineAddress(root).Frame;
        XenError error = PageTypes.TryTake(ref vcpu.Domain, table, Memory.PageType.L4, ref preemption);
        if (error == XenError.None)
        {
            slot = root;
        }
        else if (error != XenError.Restart)
        {
            DeferredWork.AddIfDismantling(ref caller, ref vcpu.Domain, table, Memory.PageType.L4);
        }

        return error;
    }

    private static void Commit(ref Vcpu vcpu)
    {
        for (int vector = 0; vector < 256; vector++)
        {
            ulong head = Word(Layout.TrapTable + (vector * 16));
            TrapInfo entry = new()
            {
                Vector = (byte)vector,
                Flags = (byte)(head >> 8),
                Cs = (ushort)(head >> 16),
                Address = Word(Layout.TrapTable + (vector * 16) + 8),
            };
            GuestTrapTable.Set(ref vcpu, entry);
        }

        ulong flags = Word(Layout.Flags);
        ref VcpuContext context = ref vcpu.Context;
        context.InKernel = (flags & Layout.InKernel) != 0 || context.UserRoot == 0 ? (byte)1 : (byte)0;
        context.SyscallCallback = Word(Layout.SyscallCallback);
        context.SyscallMasksEvents = (flags & Layout.SyscallMasksEvents) != 0 ? (byte)1 : (byte)0;
        context.KernelGsBase = Word(Layout.GsBaseKernel);
        context.UserGsBase = Word(Layout.GsBaseUser);
        vcpu.Traps.FailsafeMasksEvents = (flags & Layout.FailsafeMasksEvents) != 0;
        vcpu.Traps.EventCallback = Word(Layout.EventCallback);
        vcpu.Traps.FailsafeCallback = Word(Layout.FailsafeCallback);
        vcpu.Traps.FsBase = Word(Layout.FsBase);
        vcpu.Traps.GsBase = context.InKernel != 0 ? context.KernelGsBase : context.UserGsBase;
        vcpu.Traps.Cr4 = ControlRegisterEmulation.InitialCr4;
        StackSwitchHypercall.Apply(ref vcpu, Word(Layout.KernelSs), Word(Layout.KernelSp));
        CommitRegisters(ref vcpu);
        CommitVectors(ref vcpu, (flags & Layout.FloatingPointValid) != 0);
        vcpu.IsInitialized = true;
    }

    private static void CommitRegisters(ref Vcpu vcpu)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        int at = Layout.Registers;
        registers.R15 = Next(ref at);
        registers.R14 = Next(ref at);
        registers.R13 = Next(ref at);
        registers.R12 = Next(ref at);
        registers.Rbp = Next(ref at);
        registers.Rbx = Next(ref at);
        registers.R11 = Next(ref at);
        registers.R10 = Next(ref at);
        registers.R9 = Next(ref at);
        registers.R8 = Next(ref at);
        registers.Rax = Next(ref at);
        registers.Rcx = Next(ref at);
        registers.Rdx = Next(ref at);
        registers.Rsi = Next(ref at);
        registers.Rdi = Next(ref at);
        registers.ErrorCode = (uint)Next(ref at);
        registers.Vector = 0;
        registers.Rip = Next(ref at);
        registers.Cs = (ushort)Next(ref at) | 3UL;
        ulong rflags = Next(ref at);
        vcpu.Traps.Iopl = (uint)(rflags & RflagsBits.IoPrivilegeMask) >> 12;
        registers.Rflags = (rflags & ~(RflagsBits.IoPrivilegeMask | RflagsBits.Virtual8086 | RflagsBits.NestedTask)) | RflagsBits.InterruptEnable | RflagsBits.Fixed;
        registers.Rsp = Next(ref at);
        registers.Ss = (ushort)Next(ref at) | 3UL;
    }

    private static void CommitVectors(ref Vcpu vcpu, bool isGiven)
    {
        Fpu.Initialize(vcpu.FpuArea);
        if (isGiven)
        {
            for (int offset = 0; offset < Layout.FloatingPointBytes; offset += 8)
            {
                PhysicalMemory.Word(vcpu.FpuArea, offset / 8) = Word(Layout.FloatingPoint + offset);
            }
        }

        vcpu.Context.Kept = Fpu.LoadKept(vcpu.FpuArea);
    }

    /// <summary>What goes on from an earlier life: segments, debug registers, the LDT, the domain's assists, and whether it is online.</summary>
    private static void CommitRest(ref Vcpu vcpu)
    {
        vcpu.Traps.Es = UserSelector(Word(Layout.Es));
        vcpu.Traps.Ds = UserSelector(Word(Layout.Ds));
        vcpu.Traps.Fs = UserSelector(Word(Layout.Fs));
        vcpu.Traps.Gs = UserSelector(Word(Layout.Gs));
        vcpu.Traps.LdtBase = Word(Layout.LdtBase);
        vcpu.Traps.LdtEntries = (int)Word(Layout.LdtEntries);
        ulong choice = ControlRegisters.GuestCr4 & (ControlRegisters.Cr4 | Cr4Bits.TimeStampDisable | Cr4Bits.DebuggingExtensions);
        vcpu.Traps.Cr4 = (ControlRegisterEmulation.InitialCr4 & ~choice) | (Word(Layout.Cr4) & choice);
        for (int number = 0; number < 8; number++)
        {
            DebugRegisterEmulation.Preset(ref vcpu, number, Word(Layout.DebugRegisters + (number * 8)));
        }

        if (vcpu.Id == 0)
        {
            vcpu.Domain.Assists = Word(Layout.Assists) & VmAssistHypercall.Known;
        }

        bool isOnline = (Word(Layout.Flags) & Layout.Online) != 0;
        if (isOnline && !vcpu.Schedule.IsUp)
        {
            Scheduler.Up(ref vcpu);
        }
        else if (!isOnline && vcpu.Schedule.IsUp)
        {
            Scheduler.Down(ref vcpu);
        }
    }

    /// <summary>A null selector stays what it is; any other is one of a program.</summary>
    private static ushort UserSelector(ulong word) => (ushort)((word & 0xFFFC) == 0 ? 0 : word | 3);

    private static int GdtPages(int entries) => (entries + EntriesPerPage - 1) / EntriesPerPage;

    private static ulong Next(ref int offset)
    {
        ulong value = Word(offset);
        offset += 8;
        return value;
    }

    private static ulong Word(int offset) => VcpuContextWords.At(offset);
}
