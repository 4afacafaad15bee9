// Everything that C# calls in assembly, in one place.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>
/// The routines of src/arch/x86-64. SAFETY: each is called only by the members of this assembly that check its arguments;
/// routines whose name holds <c>try</c> survive a fault of the instruction they wrap.
/// </summary>
internal static unsafe class Native
{
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_rdtsc")] internal static extern ulong ReadTsc();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_cpuid")] internal static extern void CpuId(uint leaf, uint subleaf, CpuIdResult* result);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_read_msr")] internal static extern ulong ReadMsr(uint msr);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_msr")] internal static extern void WriteMsr(uint msr, ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "msr_try_read")] internal static extern bool TryReadMsr(uint msr, ulong* value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "msr_try_write")] internal static extern bool TryWriteMsr(uint msr, ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_read_cr0")] internal static extern ulong ReadCr0();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_cr0")] internal static extern void WriteCr0(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_read_cr2")] internal static extern ulong ReadCr2();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_read_cr3")] internal static extern ulong ReadCr3();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_cr3")] internal static extern void WriteCr3(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_read_cr4")] internal static extern ulong ReadCr4();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_cr4")] internal static extern void WriteCr4(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_read_dr6")] internal static extern ulong ReadDr6();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_dr6")] internal static extern void WriteDr6(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_read_dr7")] internal static extern ulong ReadDr7();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_dr7")] internal static extern void WriteDr7(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_dr0")] internal static extern void WriteDr0(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_dr1")] internal static extern void WriteDr1(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_dr2")] internal static extern void WriteDr2(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_write_dr3")] internal static extern void WriteDr3(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_clts")] internal static extern void ClearTaskSwitched();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_invlpg")] internal static extern void InvalidatePage(ulong address);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_wbinvd")] internal static extern void WriteBackInvalidate();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_idle")] internal static extern void Idle();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_halt_forever")] internal static extern void HaltForever();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_triple_fault")] internal static extern void TripleFault();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_in8")] internal static extern byte In8(ushort port);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_in16")] internal static extern ushort In16(ushort port);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_in32")] internal static extern uint In32(ushort port);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_out8")] internal static extern void Out8(ushort port, byte value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_out16")] internal static extern void Out16(ushort port, ushort value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_out32")] internal static extern void Out32(ushort port, uint value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_load_gdt")] internal static extern void LoadGdt(ushort limit, ulong address);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_load_own_segments")] internal static extern void LoadOwnSegments();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_load_idt")] internal static extern void LoadIdt(ushort limit, ulong address);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_load_task")] internal static extern void LoadTask(ushort selector);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_load_ldt")] internal static extern void LoadLdt(ushort selector);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_read_ds")] internal static extern ushort ReadDs();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_read_es")] internal static extern ushort ReadEs();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_read_fs")] internal static extern ushort ReadFs();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_read_gs")] internal static extern ushort ReadGs();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_try_load_ds")] internal static extern bool TryLoadDs(ushort selector);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_try_load_es")] internal static extern bool TryLoadEs(ushort selector);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_try_load_fs")] internal static extern bool TryLoadFs(ushort selector);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "segment_try_load_gs")] internal static extern bool TryLoadGs(ushort selector);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_rdfsbase")] internal static extern ulong ReadFsBase();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_wrfsbase")] internal static extern void WriteFsBase(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_rdgsbase")] internal static extern ulong ReadGsBase();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_wrgsbase")] internal static extern void WriteGsBase(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "fpu_xsave")] internal static extern void Xsave(byte* area, ulong mask);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "fpu_xsaveopt")] internal static extern void XsaveOptimized(byte* area, ulong mask);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "fpu_fxsave")] internal static extern void Fxsave(byte* area);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "xrstor_try")] internal static extern bool TryXrstor(byte* area, ulong mask);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "fxrstor_try")] internal static extern bool TryFxrstor(byte* area);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "xsetbv_try")] internal static extern bool TryXsetbv(ulong value);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_xgetbv")] internal static extern ulong ReadXcr0();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "cpu_copy_page")] internal static extern void CopyPage(byte* to, byte* from);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_copy")] internal static extern bool GuestCopy(void* to, void* from, nuint bytes);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_read8")] internal static extern bool GuestRead8(void* to, void* from);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_read16")] internal static extern bool GuestRead16(void* to, void* from);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_read24")] internal static extern bool GuestRead24(void* to, void* from);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_compare_exchange")] internal static extern bool GuestCompareExchange(ulong* at, ulong comparand, ulong value, ulong* seen);
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "enter_guest")] internal static extern void EnterGuest(VcpuContext* context);
}
