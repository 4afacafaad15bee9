// What the guests' assembly offers to C#.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Guest;

/// <summary>Routines and symbols of guests/arch.</summary>
internal static unsafe class Native
{
    internal static byte* Name => (byte*)(delegate*<void>)&NameSymbol;

    internal static byte* Pages => (byte*)(delegate*<void>)&PagesSymbol;

    internal static byte* PagesEnd => (byte*)(delegate*<void>)&PagesEndSymbol;

    internal static byte* TrapStackEnd => (byte*)(delegate*<void>)&TrapStackEndSymbol;

    internal static byte* ImageEnd => (byte*)(delegate*<void>)&ImageEndSymbol;

    internal static byte* TrapStubs => (byte*)(delegate*<void>)&TrapStubsSymbol;

    internal static byte* EventStub => (byte*)(delegate*<void>)&EventStubSymbol;

    internal static byte* FailsafeStub => (byte*)(delegate*<void>)&FailsafeStubSymbol;

    internal static byte* SyscallStub => (byte*)(delegate*<void>)&SyscallStubSymbol;

    internal static byte* Syscall32Stub => (byte*)(delegate*<void>)&Syscall32StubSymbol;

    internal static byte* HammerFault => (byte*)(delegate*<void>)&HammerFaultSymbol;

    internal static ulong* Recover => (ulong*)(delegate*<void>)&RecoverSymbol;

    internal static ulong* RecoverStack => (ulong*)(delegate*<void>)&RecoverStackSymbol;

    internal static ulong FirstStack => *(ulong*)(delegate*<void>)&FirstStackSymbol;

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_hypercall")]
    internal static extern long Hypercall(ulong number, ulong first, ulong second, ulong third, ulong fourth, ulong fifth);

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_tsc")]
    internal static extern ulong Tsc();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_main")]
    internal static extern void Main();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_probe")]
    internal static extern void Probe(ProbeRegisters* registers, void* code);

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_leave")]
    internal static extern void Leave(Abi.IretContext* frame);

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_jump")]
    internal static extern void Jump(ulong address, ulong stack);

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_hammer")]
    internal static extern ulong Hammer(void* at, ulong value, uint* stop);

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_watch")]
    internal static extern ulong Watch(void* at, ulong value, uint* stop);

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_hammer_fault")]
    private static extern void HammerFaultSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_name")]
    private static extern void NameSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_pages")]
    private static extern void PagesSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_pages_end")]
    private static extern void PagesEndSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_trap_stack_end")]
    private static extern void TrapStackEndSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "image_end")]
    private static extern void ImageEndSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_trap_stubs")]
    private static extern void TrapStubsSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_event_stub")]
    private static extern void EventStubSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_failsafe_stub")]
    private static extern void FailsafeStubSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_syscall_stub")]
    private static extern void SyscallStubSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_syscall32_stub")]
    private static extern void Syscall32StubSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_recover")]
    private static extern void RecoverSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_recover_stack")]
    private static extern void RecoverStackSymbol();

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "guest_first_stack")]
    private static extern void FirstStackSymbol();
}
