// A descriptor table of the guest.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>One page of GDT. Descriptors are written by hypercall once the table is in use.</summary>
internal static unsafe class Descriptors
{
    internal const ulong Code64 = 0x00AF_FB00_0000_FFFF;
    internal const ulong Code64Ring0 = 0x00AF_9B00_0000_FFFF;
    internal const ulong Code32 = 0x00CF_FB00_0000_FFFF;
    internal const ulong Data = 0x00CF_F300_0000_FFFF;
    internal const ulong DataRing0 = 0x00CF_9300_0000_FFFF;
    internal const ulong DataAbsent = 0x00CF_7300_0000_FFFF;
    internal const ulong Code64Absent = 0x00AF_7B00_0000_FFFF;

    private static ulong* s_table;

    internal static ulong* Table => s_table;

    /// <summary>Puts a table with 512 empty descriptors into use.</summary>
    internal static void Start()
    {
        s_table = (ulong*)Memory.TakePage();
        if (PageTables.MakeReadOnly(s_table) != 0 || Load(Memory.Frame(s_table), 512) != 0)
        {
            Report.Error("no descriptor table"u8);
        }
    }

    internal static long Load(ulong frame, ulong entries) => Xen.Call(HypercallNumber.SetGdt, (ulong)(&frame), entries);

    /// <summary>Writes a descriptor of the table; the selector is 8 times the index, plus 3.</summary>
    internal static long Write(int index, ulong descriptor) =>
        Xen.Call(HypercallNumber.UpdateDescriptor, Memory.Machine(s_table + index), descriptor);
}
