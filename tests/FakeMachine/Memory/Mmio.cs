// Twin of Memory/Mmio.cs: device registers are functions of the test.
using System.Collections.Generic;

namespace Xenolith.Machine;

/// <summary>Device memory; only mapped pages can be accessed, naturally aligned.</summary>
public static class Mmio
{
    private const int Capacity = 512;

    private static readonly HashSet<ulong> s_frames = [];

    public static void Map(MachineAddress start, int bytes) => Fatal.Assert(TryMap(start, bytes), "too many device pages"u8);

    public static bool TryMap(MachineAddress start, int bytes)
    {
        ulong last = start.Value + (ulong)(bytes > 0 ? bytes : 1) - 1;
        for (ulong frame = start.Value >> 12; frame <= last >> 12; frame++)
        {
            if (s_frames.Count >= Capacity && !s_frames.Contains(frame))
            {
                return false;
            }

            s_frames.Add(frame);
        }

        return true;
    }

    public static uint Read32(MachineAddress address) => (uint)FakeCpu.DeviceRead(Locate(address, 4), 4);

    public static void Write32(MachineAddress address, uint value) => FakeCpu.DeviceWrite(Locate(address, 4), 4, value);

    public static ulong Read64(MachineAddress address) => FakeCpu.DeviceRead(Locate(address, 8), 8);

    public static void Write64(MachineAddress address, ulong value) => FakeCpu.DeviceWrite(Locate(address, 8), 8, value);

    internal static void Initialize(Mfn leaf) => s_frames.Clear();

    private static ulong Locate(MachineAddress address, uint bytes)
    {
        Fatal.Assert(s_frames.Contains(address.Value >> 12) && (address.Value & (bytes - 1)) == 0, "access to a device page that is not mapped"u8);
        return address.Value;
    }
}
