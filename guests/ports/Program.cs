// ports: IOPL, the bitmap of ports, what Domain 0 may touch, CLI and STI.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class PortsProgram
{
    private const ulong SetIopl = 6;
    private const ulong SetIoBitmap = 7;
    private const ulong Nowhere = 0x1234_5678_9000;

    [RuntimeExport("guest_ports")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        UserSpace.Start();
        Privilege();
        Bitmap();
        Devices();
        Interrupts();
        Strings();
    }

    private static long Iopl(uint level) => Xen.Call(HypercallNumber.PhysdevOp, SetIopl, (ulong)(&level));

    private static long IoBitmap(void* bitmap, uint ports)
    {
        ulong* argument = stackalloc ulong[2];
        argument[0] = (ulong)bitmap;
        argument[1] = ports;
        return Xen.Call(HypercallNumber.PhysdevOp, SetIoBitmap, (ulong)argument);
    }

    private static void Privilege()
    {
        ReadOnlySpan<byte> read = [0xE4, 0x80];
        Report.Same(Traps.Try(read), 13, "a port at IOPL 0"u8);
        Report.Same(Traps.Last.ErrorCode, 0, "its error code"u8);
        Report.Result(Iopl(4), XenError.Invalid, "IOPL 4"u8);
        Report.Result(Iopl(0xFFFF_FFFF), XenError.Invalid, "IOPL -1"u8);
        Report.Result(Iopl(1), XenError.None, "IOPL 1"u8);
        Report.Same(Traps.Try(read), Traps.None, "a port at IOPL 1"u8);
        Report.Same(UserSpace.Run(read), 13, "a user program's port at IOPL 1"u8);
        Report.Result(Iopl(3), XenError.None, "IOPL 3"u8);
        UserSpace.Load([0xE4, 0x80, 0xCC]);
        IretContext frame = UserSpace.Frame();
        Report.Same(Traps.Leave(ref frame), 3, "a user program's port at IOPL 3"u8);
        Report.Same(Traps.Last.Rflags & 0x3000, 0, "IOPL is not shown"u8);
        Report.Result(Iopl(0), XenError.None, "IOPL 0"u8);
        Report.Same(Traps.Try(read), 13, "a port at IOPL 0 again"u8);
        Report.Result(Xen.Call(HypercallNumber.PhysdevOp, SetIopl, Nowhere), XenError.Fault, "IOPL that cannot be read"u8);

        // The flags of an iret do not carry it.
        frame.Rflags |= 0x3000;
        Report.Same(Traps.Leave(ref frame), 13, "IOPL by iret"u8);
    }

    private static void Bitmap()
    {
        byte* bitmap = Memory.TakePage();
        for (int i = 0; i < 4096; i++)
        {
            bitmap[i] = 0xFF;
        }

        bitmap[0x80 / 8] = 0xFE;
        Report.Result(IoBitmap(bitmap, 65537), XenError.Invalid, "too many ports"u8);
        Report.Result(IoBitmap(bitmap, 0x400), XenError.None, "a bitmap"u8);
        UserSpace.Load([0xE4, 0x80, 0xCC]);
        IretContext frame = UserSpace.Frame();
        Report.Same(Traps.Leave(ref frame), 3, "a port that is allowed"u8);
        Report.Same(UserSpace.Run([0xE4, 0x81]), 13, "a port that is not"u8);
        Report.Same(UserSpace.Run([0x66, 0xE5, 0x80]), 13, "two ports of which one is not"u8);
        Report.Same(UserSpace.Run([0xBA, 0x00, 0x04, 0, 0, 0xEC]), 13, "a port behind the bitmap"u8);
        Report.Result(IoBitmap((void*)Nowhere, 65536), XenError.None, "a bitmap that is not there"u8);
        Report.Same(UserSpace.Run([0xE4, 0x80]), 13, "it allows nothing"u8);
        Report.Result(IoBitmap((void*)0xFFFF_8300_0000_0000, 65536), XenError.Invalid, "a bitmap in the hypervisor"u8);
        Report.Result(IoBitmap(null, 0), XenError.None, "no bitmap"u8);
    }

    private static ulong Read(ushort port, int bytes)
    {
        ProbeRegisters registers = new() { Rdx = port, Rax = 0x1234_5678_9ABC_DEF0 };
        ulong vector = bytes == 1 ? Traps.Try([0xEC], ref registers) : bytes == 2 ? Traps.Try([0x66, 0xED], ref registers) : Traps.Try([0xED], ref registers);
        Report.Same(vector, Traps.None, "a port"u8);
        return registers.Rax;
    }

    private static ulong Write(ushort port, uint value, int bytes)
    {
        ProbeRegisters registers = new() { Rdx = port, Rax = value };
        return bytes == 1 ? Traps.Try([0xEE], ref registers) : bytes == 2 ? Traps.Try([0x66, 0xEF], ref registers) : Traps.Try([0xEF], ref registers);
    }

    private static void Devices()
    {
        Iopl(1);
        Report.Same(Read(0x20, 1), 0x1234_5678_9ABC_DEFF, "the interrupt controller reads as nothing"u8);
        Report.Same(Read(0xA0, 2) & 0xFF, 0xFF, "the second one too"u8);
        Report.Same(Write(0x21, 0xFF, 1), Traps.None, "a write to it is dropped"u8);
        Report.Same(Write(0x40, 0, 1), Traps.None, "a write to the timer is dropped"u8);

        // Configuration space: the latch, then the host bridge's identity.
        Report.Same(Write(0xCF8, 0x8000_0000, 4), Traps.None, "the address of the host bridge"u8);
        Report.Same(Read(0xCF8, 4), 0x8000_0000, "the address reads back, zero-extended"u8);
        Report.Same(Read(0xCFC, 4) & 0xFFFF, 0x8086, "the vendor"u8);
        Report.Same(Read(0xCFC, 2), 0x1234_5678_9ABC_8086, "two bytes leave the rest of rax"u8);
        Report.Same(Write(0xCF8, 0, 4), Traps.None, "no address"u8);
        Report.Same(Read(0xCFC, 4), 0xFFFF_FFFF, "no address reads as nothing"u8);
        Report.Same(Write(0x70, 0, 1), Traps.None, "the clock's index"u8);
        Report.Check((Read(0x71, 1) & 0xFF) < 0x60, "the clock's seconds"u8);
    }

    private static void Interrupts()
    {
        Events.Mask = 0;
        Report.Same(Traps.Try([0xFA]), Traps.None, "cli at IOPL 1"u8);
        Report.Same(Events.Mask, 0, "the mask is the guest's own"u8);
        Report.Same(Traps.Try([0xFB]), Traps.None, "sti at IOPL 1"u8);
        Events.Mask = 1;
        Traps.Try([0xFB]);
        Report.Same(Events.Mask, 1, "the mask is the guest's own"u8);
        Iopl(0);
        Report.Same(Traps.Try([0xFA]), 13, "cli at IOPL 0"u8);
        Report.Same(Traps.Try([0xFB]), 13, "sti at IOPL 0"u8);
        Iopl(1);
    }

    private static void Strings()
    {
        byte* page = Memory.TakePage();
        byte* behind = Memory.TakePage();
        page[4095] = 0x11;
        ProbeRegisters registers = new() { Rdx = 0x80, Rsi = (ulong)page, Rcx = 4 };
        Report.Same(Traps.Try([0xF3, 0x6E], ref registers), Traps.None, "rep outsb"u8);
        Report.Same(registers.Rcx, 0, "rcx behind it"u8);
        Report.Same(registers.Rsi - (ulong)page, 4, "rsi behind it"u8);
        registers = new ProbeRegisters { Rdx = 0x20, Rdi = (ulong)page, Rcx = 3 };
        Report.Same(Traps.Try([0xF3, 0x6C], ref registers), Traps.None, "rep insb"u8);
        Report.Same(*(uint*)page, 0x00FF_FFFF, "what was read"u8);
        Xen.UpdateVaMapping((ulong)behind, 0);
        registers = new ProbeRegisters { Rdx = 0x20, Rdi = (ulong)page + 4094, Rcx = 4 };
        Report.Same(Traps.Try([0xF3, 0x6C], ref registers), 14, "rep insb to the end of memory"u8);
        Report.Same(Traps.Cr2, (ulong)behind, "its address"u8);
        Report.Same(Traps.Last.ErrorCode, 2, "its error code"u8);
        Report.Same(Traps.Last.Rcx, 2, "rcx in the middle of it"u8);
        registers = new ProbeRegisters { Rdx = 0x80, Rsi = 0xFFFF_8300_0000_0000 };
        Report.Same(Traps.Try([0x6E], ref registers), 14, "outsb of the hypervisor's memory"u8);
        registers = new ProbeRegisters { Rdx = 0x20, Rdi = 0xFFFF_8300_0000_0000 };
        Report.Same(Traps.Try([0x6C], ref registers), 14, "insb to the hypervisor's memory"u8);
        PageTables.MakeWritable(behind);
    }
}
