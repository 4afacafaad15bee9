// Twin of Traps/Descriptors.cs: remembers what would have been loaded.
namespace Xenolith.Machine;

/// <summary>GDT, TSS and IDT of the fake processor.</summary>
public static class Descriptors
{
    public static ulong StackTop => 0xFFFF_82D0_8020_7FC0;

    /// <summary>A frame of the machine's own stands for the descriptor page.</summary>
    internal static Mfn Frame => new(255);

    public static void Initialize()
    {
    }

    public static void SetCurrent(ref VcpuContext context)
    {
        context.Stack = StackTop;
        FakeCpu.CurrentContext = context.Index;
        DescriptorWindow.SetOwnPage(context.Index);
        Native.LoadGdt(0xEFFF, DescriptorWindow.GdtAddress(context.Index));
    }

    public static void LoadLdt(int vcpuIndex, int entries)
    {
        bool isUsed = entries is > 0 and <= 8192;
        FakeCpu.LoadedLdtWindow = isUsed ? (vcpuIndex, entries) : default;
        Native.LoadLdt(isUsed ? (ushort)0xE050 : (ushort)0);
    }
}
