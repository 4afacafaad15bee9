// Devices for tests of physical interrupts: an IO-APIC and PCI functions.
using System.Collections.Generic;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.UnitTests.Hypercalls;

/// <summary>
/// One IO-APIC of 24 lines at its usual address and, on bus 0, functions whose configuration space is a block of bytes. The IO-APICs
/// of the machine are found once; what belongs to a test is made anew by each instance.
/// </summary>
internal sealed class FakeBoard
{
    internal const ulong IoApicAddress = 0xFEC0_0000;
    private const uint Masked = 1 << 16;

    private readonly Dictionary<byte, byte[]> _functions = [];
    private readonly uint[] _ioApic = new uint[0x40];
    private uint _ioApicIndex;
    private uint _pciAddress;

    internal FakeBoard()
    {
        _ioApic[1] = 0x0017_0020;
        FakeCpu.DeviceRead = ReadDevice;
        FakeCpu.DeviceWrite = WriteDevice;
        FakeCpu.PortRead = ReadPort;
        FakeCpu.PortWrite = WritePort;
        Mmio.Map(new MachineAddress(IoApicAddress), 4096);
        if (IoApic.Count == 0)
        {
            IoApic.Add(0, new MachineAddress(IoApicAddress), 0);
        }

        for (uint number = 0; number < Pirqs.Capacity; number++)
        {
            Pirqs.At(number) = default;
        }

        Pirqs.Initialize();
    }

    /// <summary>Registers of devices in memory, by address.</summary>
    internal Dictionary<ulong, uint> Memory { get; } = [];

    /// <summary>Interrupts that the local APIC has been told are over.</summary>
    internal int Ends { get; private set; }

    /// <summary>Low half of a line's redirection entry.</summary>
    internal uint Line(int line) => _ioApic[0x10 + (line * 2)];

    internal bool IsMasked(int line) => (Line(line) & Masked) != 0;

    /// <summary>Adds a function with an MSI-X table of some entries in BAR 4 and a maskable 64-bit MSI capability.</summary>
    internal byte[] AddFunction(byte deviceFunction, uint bar, int entries)
    {
        byte[] space = new byte[256];
        _functions[deviceFunction] = space;
        Set(space, 0, 0x1042_1AF4);
        Set(space, 4, 0x0010_0006);
        Set(space, 0x20, bar);
        space[0x34] = 0x40;
        Set(space, 0x40, 0x5011U | ((uint)(entries - 1) << 16));
        Set(space, 0x44, 4 | 0x800);
        Set(space, 0x50, 0x0180_0005);
        return space;
    }

    internal static uint Get(byte[] space, int register) => BitConverter.ToUInt32(space, register);

    private static void Set(byte[] space, int register, uint value) => BitConverter.TryWriteBytes(space.AsSpan(register), value);

    private ulong ReadDevice(ulong address, int bytes)
    {
        if (address == IoApicAddress + 0x10)
        {
            return _ioApic[_ioApicIndex & 0x3F];
        }

        return Memory.TryGetValue(address, out uint value) ? value : 0;
    }

    private void WriteDevice(ulong address, int bytes, ulong value)
    {
        switch (address)
        {
            case IoApicAddress:
                _ioApicIndex = (uint)value;
                break;
            case IoApicAddress + 0x10:
                _ioApic[_ioApicIndex & 0x3F] = (uint)value;
                break;
            case 0xFEE0_00B0:
                Ends++;
                break;
            default:
                Memory[address] = (uint)value;
                break;
        }
    }

    private uint ReadPort(ushort port, int bytes)
    {
        if (port is < 0xCFC or > 0xCFF || !TryFind(port, out byte[] space, out int at))
        {
            return bytes == 4 ? uint.MaxValue : (1u << (bytes * 8)) - 1;
        }

        uint value = 0;
        for (int i = 0; i < bytes; i++)
        {
            value |= (uint)space[at + i] << (i * 8);
        }

        return value;
    }

    private void WritePort(ushort port, int bytes, uint value)
    {
        if (port == 0xCF8)
        {
            _pciAddress = value;
        }
        else if (port is >= 0xCFC and <= 0xCFF && TryFind(port, out byte[] space, out int at))
        {
            for (int i = 0; i < bytes; i++)
            {
                space[at + i] = (byte)(value >> (i * 8));
            }
        }
    }

    private bool TryFind(ushort port, out byte[] space, out int at)
    {
        at = (int)(_pciAddress & 0xFC) + (port - 0xCFC);
        space = [];
        bool isBus0 = (_pciAddress & 0x80FF_0000) == 0x8000_0000;
        return isBus0 && _functions.TryGetValue((byte)(_pciAddress >> 8), out space!);
    }
}
