// A user program's address space.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>A second root with one page of code and one of data, and entering it.</summary>
internal static unsafe class UserSpace
{
    internal const ulong CodeAddress = 0x40_0000;
    internal const ulong DataAddress = 0x40_1000;
    internal const ulong StackEnd = DataAddress + 4096;
    internal const ulong HighAddress = 0x7FFF_FFFF_F000;

    private static ulong* s_root;
    private static byte* s_code;
    private static byte* s_data;
    private static byte* s_high;

    internal static byte* Code => s_code;

    internal static byte* Data => s_data;

    /// <summary>The last page of the lower half.</summary>
    internal static byte* High => s_high;

    internal static ulong* Root => s_root;

    /// <summary>Builds and pins the tables and makes them the user root.</summary>
    internal static void Start()
    {
        s_root = (ulong*)Memory.TakePage();
        s_code = Memory.TakePage();
        s_data = Memory.TakePage();
        s_high = Memory.TakePage();
        PageTables.Add(s_root, CodeAddress, Memory.Machine(s_code) | PageTables.UserWritable);
        PageTables.Add(s_root, DataAddress, Memory.Machine(s_data) | PageTables.UserWritable);
        PageTables.Add(s_root, HighAddress, Memory.Machine(s_high) | PageTables.UserWritable);
        if (PageTables.Protect(s_root, 4) != 0
            || Xen.MmuExtended(MmuExtendedCommand.PinL4Table, Memory.Frame(s_root)) != 0
            || Xen.MmuExtended(MmuExtendedCommand.NewUserBasePointer, Memory.Frame(s_root)) != 0)
        {
            Report.Error("no user address space"u8);
        }
    }

    /// <summary>Puts instructions at the start of the user's code.</summary>
    internal static void Load(ReadOnlySpan<byte> instructions)
    {
        for (int i = 0; i < instructions.Length; i++)
        {
            s_code[i] = instructions[i];
        }
    }

    /// <summary>What enters the user's code at its start.</summary>
    internal static IretContext Frame() => new()
    {
        Rip = CodeAddress,
        Cs = Selectors.FlatCode64,
        Rflags = 0x202,
        Rsp = StackEnd,
        Ss = Selectors.FlatData,
    };

    /// <summary>Runs instructions as a user program until something traps; returns its vector.</summary>
    internal static ulong Run(ReadOnlySpan<byte> instructions)
    {
        Load(instructions);
        IretContext frame = Frame();
        return Traps.Leave(ref frame);
    }
}
