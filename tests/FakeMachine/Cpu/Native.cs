// Twin of Cpu/Native.cs: each routine of the assembly as an operation on the fake processor.
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>The instructions. Registers and devices are in <see cref="FakeCpu"/>.</summary>
internal static unsafe class Native
{
    internal static ulong ReadTsc()
    {
        FakeCpu.OnTscRead?.Invoke();
        return FakeCpu.Tsc += FakeCpu.TscStep;
    }

    internal static void CpuId(uint leaf, uint subleaf, CpuIdResult* result)
        => *result = FakeCpu.CpuIdLeaves.GetValueOrDefault((leaf, subleaf));

    internal static ulong ReadMsr(uint msr)
        => FakeCpu.Msrs.TryGetValue(msr, out ulong value) ? value : throw new HypervisorPanicException("#GP in rdmsr");

    internal static void WriteMsr(uint msr, ulong value)
    {
        if (!TryWriteMsr(msr, value))
        {
            throw new HypervisorPanicException("#GP in wrmsr");
        }
    }

    internal static bool TryReadMsr(uint msr, ulong* value)
    {
        bool known = FakeCpu.Msrs.TryGetValue(msr, out ulong read);
        *value = read;
        return known;
    }

    internal static bool TryWriteMsr(uint msr, ulong value)
    {
        if (!FakeCpu.Msrs.ContainsKey(msr))
        {
            return false;
        }

        FakeCpu.Msrs[msr] = value;
        return true;
    }

    internal static ulong ReadCr0() => FakeCpu.Cr0;

    internal static void WriteCr0(ulong value) => FakeCpu.Cr0 = value;

    internal static ulong ReadCr2() => FakeCpu.Cr2;

    internal static ulong ReadCr3() => FakeCpu.Cr3;

    internal static void WriteCr3(ulong value)
    {
        FakeCpu.Cr3 = value;
        FakeCpu.RootLoads++;
        GuestMemory.ForgetTranslations();
    }

    internal static ulong ReadCr4() => FakeCpu.Cr4;

    internal static void WriteCr4(ulong value)
    {
        FakeCpu.Cr4 = value;
        GuestMemory.ForgetTranslations();
    }

    internal static ulong ReadDr6() => FakeCpu.DebugRegisters[6];

    internal static void WriteDr6(ulong value) => FakeCpu.DebugRegisters[6] = value;

    internal static ulong ReadDr7() => FakeCpu.DebugRegisters[7];

    internal static void WriteDr7(ulong value) => FakeCpu.DebugRegisters[7] = value;

    internal static void WriteDr0(ulong value) => FakeCpu.DebugRegisters[0] = value;

    internal static void WriteDr1(ulong value) => FakeCpu.DebugRegisters[1] = value;

    internal static void WriteDr2(ulong value) => FakeCpu.DebugRegisters[2] = value;

    internal static void WriteDr3(ulong value) => FakeCpu.DebugRegisters[3] = value;

    internal static void ClearTaskSwitched() => FakeCpu.Cr0 &= ~Cr0Bits.TaskSwitched;

    internal static void InvalidatePage(ulong address)
    {
        FakeCpu.InvalidatedPages.Add(address);
        GuestMemory.ForgetTranslation(address);
    }

    internal static void WriteBackInvalidate() => FakeCpu.CacheFlushes++;

    internal static void Idle()
    {
        if (FakeCpu.OnHalt is not { } interrupt)
        {
            throw new HypervisorPanicException("the processor halts and no interrupt will ever come");
        }

        interrupt();
    }

    internal static void EnterGuest(VcpuContext* context) => throw new HypervisorPanicException("a guest cannot run on the fake machine");

    internal static void HaltForever() => throw new HypervisorPanicException("the processor halts for ever");

    internal static void TripleFault() => throw new HypervisorPanicException("triple fault");

    internal static byte In8(ushort port) => (byte)FakeCpu.PortRead(port, 1);

    internal static ushort In16(ushort port) => (ushort)FakeCpu.PortRead(port, 2);

    internal static uint In32(ushort port) => FakeCpu.PortRead(port, 4);

    internal static void Out8(ushort port, byte value) => FakeCpu.PortWrite(port, 1, value);

    internal static void Out16(ushort port, ushort value) => FakeCpu.PortWrite(port, 2, value);

    internal static void Out32(ushort port, uint value) => FakeCpu.PortWrite(port, 4, value);

    internal static void LoadGdt(ushort limit, ulong address) => FakeCpu.LoadedGdt = address;

    internal static void LoadLdt(ushort selector) => FakeCpu.LoadedLdt = selector;

    internal static ushort ReadDs() => FakeCpu.Selectors[0];

    internal static ushort ReadEs() => FakeCpu.Selectors[1];

    internal static ushort ReadFs() => FakeCpu.Selectors[2];

    internal static ushort ReadGs() => FakeCpu.Selectors[3];

    internal static bool TryLoadDs(ushort selector) => TryLoadSelector(0, selector);

    internal static bool TryLoadEs(ushort selector) => TryLoadSelector(1, selector);

    internal static bool TryLoadFs(ushort selector)
    {
        FakeCpu.FsBase = 0;
        return TryLoadSelector(2, selector);
    }

    internal static bool TryLoadGs(ushort selector)
    {
        FakeCpu.GsBase = 0;
        return TryLoadSelector(3, selector);
    }

    internal static ulong ReadFsBase() => FakeCpu.FsBase;

    internal static void WriteFsBase(ulong value) => FakeCpu.FsBase = value;

    internal static ulong ReadGsBase() => FakeCpu.GsBase;

    internal static void WriteGsBase(ulong value) => FakeCpu.GsBase = value;

    internal static void Xsave(byte* area, ulong mask) => *(ulong*)(area + 512) |= mask & FakeCpu.Xcr0;

    internal static void XsaveOptimized(byte* area, ulong mask) => Xsave(area, mask);

    internal static void Fxsave(byte* area)
    {
    }

    /// <summary>Refuses what the processor refuses: state bits that XCR0 does not have, a compaction word, unknown MXCSR bits.</summary>
    internal static bool TryXrstor(byte* area, ulong mask)
        => (*(ulong*)(area + 512) & ~FakeCpu.Xcr0) == 0 && *(ulong*)(area + 520) == 0 && TryFxrstor(area);

    internal static bool TryFxrstor(byte* area) => (*(uint*)(area + 24) & 0xFFFF_0000) == 0;

    /// <summary>x87 must be on, and AVX needs SSE.</summary>
    internal static bool TryXsetbv(ulong value)
    {
        bool valid = (value & 1) != 0 && (value & 6) != 4;
        FakeCpu.Xcr0 = valid ? value : FakeCpu.Xcr0;
        return valid;
    }

    internal static ulong ReadXcr0() => FakeCpu.Xcr0;

    internal static void CopyPage(byte* to, byte* from) => NativeMemory.Copy(from, to, 4096);

    private static bool TryLoadSelector(int register, ushort selector)
    {
        bool loads = !FakeCpu.RefusedSelectors.Contains(selector);
        FakeCpu.Selectors[register] = loads ? selector : (ushort)0;
        return loads;
    }
}
