// The state that a guest gives a vcpu at its start.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Hypercalls;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>struct vcpu_guest_context (public arch-x86/xen.h), read field by field from the guest and checked.</summary>
internal static class VcpuContextLoader
{
    private const int Registers = 0x208;
    private const int TrapTable = 0x2D0;
    private const int GdtFrames = 0x12E0;
    private const int GdtEntries = 0x1360;
    private const int KernelSs = 0x1368;
    private const int KernelSp = 0x1370;
    private const int UserRoot = 0x1378 + 8;
    private const int KernelRoot = 0x1378 + 24;
    private const int EventCallback = 0x13F8;
    private const int FailsafeCallbackAddress = 0x1400;
    private const int SyscallCallback = 0x1408;
    private const int FsBase = 0x1418;
    private const int GsBaseKernel = 0x1420;
    private const int GsBaseUser = 0x1428;
    private const ulong InKernel = 4;
    private const ulong FailsafeMasks = 8;
    private const ulong SyscallMasks = 0x10;

    /// <summary>Errors: Fault (unreadable), Invalid (a value that the vcpu may not have), Restart never.</summary>
    internal static XenError TryLoad(ref Vcpu vcpu, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at.Add(0x200), out ulong flags)
            || !GuestMemory.TryRead(at.Add(Registers), out GuestRegisters registers)
            || !TryWord(at, GdtEntries, out ulong gdtEntries)
            || !TryWord(at, KernelSs, out ulong kernelSs)
            || !TryWord(at, KernelSp, out ulong kernelSp)
            || !TryWord(at, UserRoot, out ulong userRoot)
            || !TryWord(at, KernelRoot, out ulong kernelRoot)
            || !TryWord(at, EventCallback, out ulong eventCallback)
            || !TryWord(at, FailsafeCallbackAddress, out ulong failsafeCallback)
            || !TryWord(at, SyscallCallback, out ulong syscallCallback)
            || !TryWord(at, FsBase, out ulong fsBase)
            || !TryWord(at, GsBaseKernel, out ulong gsBaseKernel)
            || !TryWord(at, GsBaseUser, out ulong gsBaseUser))
        {
            return XenError.Fault;
        }

        if (gdtEntries > VcpuTraps.MaximumGdtEntries || !GuestAddress.IsCanonical(eventCallback) || !GuestAddress.IsCanonical(failsafeCallback)
            || !GuestAddress.IsCanonical(syscallCallback) || !GuestAddress.IsCanonical(fsBase) || !GuestAddress.IsCanonical(gsBaseKernel)
            || !GuestAddress.IsCanonical(gsBaseUser))
        {
            return XenError.Invalid;
        }

        for (int vector = 0; vector < 256; vector++)
        {
            if (!GuestMemory.TryRead(at.Add((ulong)(TrapTable + (vector * 16))), out TrapInfo entry) || !GuestAddress.IsCanonical(entry.Address))
            {
                return XenError.Fault;
            }

            entry.Vector = (byte)vector;
            GuestTrapTable.Set(ref vcpu, entry);
        }

        VcpuTraps.GdtFrames frames = default;
        for (int page = 0; page < (int)(gdtEntries + 511) / 512; page++)
        {
            if (!TryWord(at, GdtFrames + (page * 8), out ulong frame))
            {
                return XenError.Fault;
            }

            frames[page] = new Mfn(frame);
        }

        XenError error = SetGdtHypercall.Apply(ref vcpu, frames, (int)gdtEntries);
        if (error != XenError.None)
        {
            return error;
        }

        Preemption never = Preemption.Never;
        error = PageTypes.TryTake(ref vcpu.Domain, new Mfn(kernelRoot >> 12), PageType.L4, ref never);
        if (error == XenError.None && userRoot != 0)
        {
            error = PageTypes.TryTake(ref vcpu.Domain, new Mfn(userRoot >> 12), PageType.L4, ref never);
            if (error != XenError.None)
            {
                PageTypes.TryDrop(ref vcpu.Domain, new Mfn(kernelRoot >> 12), ref never);
            }
        }

        if (error != XenError.None)
        {
            SetGdtHypercall.Release(ref vcpu);
            return error;
        }

        ref VcpuContext context = ref vcpu.Context;
        context.KernelRoot = kernelRoot & ~0xFFFUL;
        context.UserRoot = userRoot & ~0xFFFUL;
        context.InKernel = (flags & InKernel) != 0 || userRoot == 0 ? (byte)1 : (byte)0;
        context.Registers = registers;
        context.Registers.Vector = 0;
        context.Registers.Cs = (registers.Cs & 0xFFFF) | 3;
        context.Registers.Ss = (registers.Ss & 0xFFFF) | 3;
        vcpu.Traps.Iopl = (uint)(registers.Rflags & RflagsBits.IoPrivilegeMask) >> 12;
        context.Registers.Rflags = (registers.Rflags & ~(RflagsBits.IoPrivilegeMask | RflagsBits.Virtual8086 | RflagsBits.NestedTask)) | RflagsBits.InterruptEnable | RflagsBits.Fixed;
        context.SyscallCallback = syscallCallback;
        context.SyscallMasksEvents = (flags & SyscallMasks) != 0 ? (byte)1 : (byte)0;
        vcpu.Traps.FailsafeMasksEvents = (flags & FailsafeMasks) != 0;
        vcpu.Traps.EventCallback = eventCallback;
        vcpu.Traps.FailsafeCallback = failsafeCallback;
        vcpu.Traps.FsBase = fsBase;
        vcpu.Traps.GsBase = context.InKernel != 0 ? gsBaseKernel : gsBaseUser;
        context.KernelGsBase = gsBaseKernel;
        context.UserGsBase = gsBaseUser;
        vcpu.Traps.Cr4 = ControlRegisterEmulation.InitialCr4;
        StackSwitchHypercall.Apply(ref vcpu, kernelSs, kernelSp);
        Fpu.Initialize(vcpu.FpuArea);
        vcpu.IsInitialized = true;
        return XenError.None;
    }

    private static bool TryWord(GuestAddress at, int offset, out ulong value) => GuestMemory.TryRead(at.Add((ulong)offset), out value);
}
