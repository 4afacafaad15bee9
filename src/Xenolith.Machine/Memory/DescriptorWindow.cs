// Where the processor finds a vcpu's GDT and LDT: a window of 16 + 16 pages per vcpu in the hypervisor's range.
namespace Xenolith.Machine;

/// <summary>
/// Pages 0-13 of a window hold the guest's GDT frames (a page of zeros where it has none), page 14 the hypervisor's descriptors,
/// pages 16-31 the guest's LDT. The processor writes accessed bits, so the mappings are writable for the hypervisor.
/// </summary>
public static class DescriptorWindow
{
    /// <summary>GDT pages that belong to the guest.</summary>
    public const int GuestGdtPages = 14;

    /// <summary>Pages of a full LDT.</summary>
    public const int LdtPages = 16;

    /// <summary>Vcpus whose windows share a leaf table.</summary>
    public const int VcpusPerTable = 512 / PagesPerVcpu;

    private const int PagesPerVcpu = 32;
    private const int MaximumTables = 512;
    private const ulong WindowStart = 0xFFFF_8200_0000_0000;
    private const ulong Flags = PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.Accessed | PageTableEntry.Dirty | PageTableEntry.NoExecute;

    private static Mfn s_level2;
    private static int s_tables;
    private static Mfn s_zeroPage;

    /// <summary>How many vcpus have a window.</summary>
    public static int Count => s_tables * VcpusPerTable;

    public static ulong GdtAddress(int vcpuIndex) => WindowStart + ((ulong)Checked(vcpuIndex) * PagesPerVcpu * 4096);

    public static ulong LdtAddress(int vcpuIndex) => GdtAddress(vcpuIndex) + (16 * 4096);

    /// <summary>Gives <see cref="VcpusPerTable"/> more vcpus a window, with a frame of the hypervisor's for their leaf table, for good.</summary>
    public static void AddTable(Mfn frame)
    {
        Fatal.Assert(s_tables < MaximumTables, "descriptor windows for too many vcpus"u8);
        PhysicalMemory.Clear(frame);
        HypervisorAddressSpace.SetLeafTable(s_level2, s_tables, frame);
        s_tables++;
    }

    /// <summary>Puts a guest frame into page 0..13 of the GDT window.</summary>
    public static void SetGdtPage(int vcpuIndex, int page, Mfn frame) => Set(vcpuIndex, page, GuestGdtPages, 0, frame);

    /// <summary>Gives page 0..13 of the GDT window back to the page of zeros.</summary>
    public static void ClearGdtPage(int vcpuIndex, int page) => Set(vcpuIndex, page, GuestGdtPages, 0, s_zeroPage);

    /// <summary>Puts a guest frame into page 0..15 of the LDT window.</summary>
    public static void SetLdtPage(int vcpuIndex, int page, Mfn frame) => Set(vcpuIndex, page, LdtPages, 16, frame);

    /// <summary>The frame in page 0..15 of the LDT window; not valid where there is none.</summary>
    public static Mfn LdtPage(int vcpuIndex, int page)
    {
        PageTableEntry entry = new(Slot(vcpuIndex, 16 + (page & (LdtPages - 1))));
        return entry.IsPresent ? entry.Frame : Mfn.Invalid;
    }

    /// <summary>Empties the whole LDT window.</summary>
    public static void ClearLdt(int vcpuIndex)
    {
        for (int page = 0; page < LdtPages; page++)
        {
            ref ulong entry = ref Slot(vcpuIndex, 16 + page);
            if (entry != 0)
            {
                entry = 0;
                Native.InvalidatePage(LdtAddress(vcpuIndex) + ((ulong)page * 4096));
            }
        }
    }

    /// <summary>Prepares a vcpu's window: zeros for the guest's part and the descriptors of the processor it will run on.</summary>
    public static void Prepare(int vcpuIndex)
    {
        for (int page = 0; page < GuestGdtPages; page++)
        {
            ClearGdtPage(vcpuIndex, page);
        }

        ClearLdt(vcpuIndex);
        SetOwnPage(vcpuIndex);
    }

    /// <summary>Maps this processor's descriptor page into the vcpu's window.</summary>
    internal static void SetOwnPage(int vcpuIndex) => Slot(vcpuIndex, GuestGdtPages) = new PageTableEntry(Descriptors.Frame, Flags).Value;

    internal static void Initialize(Mfn level2)
    {
        s_level2 = level2;
        s_tables = 0;
        s_zeroPage = EarlyFrames.Allocate(1);
    }

    private static void Set(int vcpuIndex, int page, int pages, int offset, Mfn frame)
    {
        Fatal.Assert((uint)page < (uint)pages && frame.Value < PhysicalMemory.FrameCount, "descriptor window page out of range"u8);
        Slot(vcpuIndex, offset + page) = new PageTableEntry(frame, Flags).Value;
        Native.InvalidatePage(GdtAddress(vcpuIndex) + ((ulong)(offset + page) * 4096));
    }

    private static ref ulong Slot(int vcpuIndex, int page)
    {
        int slot = (Checked(vcpuIndex) * PagesPerVcpu) + page;
        return ref PhysicalMemory.Word(new PageTableEntry(PhysicalMemory.Word(s_level2, slot / 512)).Frame, slot);
    }

    private static int Checked(int vcpuIndex)
    {
        Fatal.Assert((uint)vcpuIndex < (uint)Count, "vcpu without a descriptor window"u8);
        return vcpuIndex;
    }
}
