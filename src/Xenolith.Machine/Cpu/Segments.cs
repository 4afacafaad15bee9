// Segment selectors and bases of the guest that runs on this processor.
namespace Xenolith.Machine;

/// <summary>DS, ES, FS, GS and the FS and GS bases. The hypervisor itself uses none of them.</summary>
public static class Segments
{
    public static ushort Ds => Native.ReadDs();

    public static ushort Es => Native.ReadEs();

    public static ushort Fs => Native.ReadFs();

    public static ushort Gs => Native.ReadGs();

    public static ulong FsBase
    {
        get => CpuFeatures.HasFsGsBase ? Native.ReadFsBase() : Msrs.Read(Msr.FsBase);
        set
        {
            ulong canonical = GuestAddress.IsCanonical(value) ? value : 0;
            if (CpuFeatures.HasFsGsBase)
            {
                Native.WriteFsBase(canonical);
            }
            else
            {
                Msrs.Write(Msr.FsBase, canonical);
            }
        }
    }

    /// <summary>The GS base of the mode the guest is in.</summary>
    public static ulong GsBase
    {
        get => CpuFeatures.HasFsGsBase ? Native.ReadGsBase() : Msrs.Read(Msr.GsBase);
        set
        {
            ulong canonical = GuestAddress.IsCanonical(value) ? value : 0;
            if (CpuFeatures.HasFsGsBase)
            {
                Native.WriteGsBase(canonical);
            }
            else
            {
                Msrs.Write(Msr.GsBase, canonical);
            }
        }
    }

    /// <summary>False when the selector does not load; the register is then null. The same holds for the others.</summary>
    public static bool TryLoadDs(ushort selector) => Native.TryLoadDs(selector);

    public static bool TryLoadEs(ushort selector) => Native.TryLoadEs(selector);

    /// <summary>Also replaces the FS base by the descriptor's (or leaves it for a null selector, as the processor likes).</summary>
    public static bool TryLoadFs(ushort selector) => Native.TryLoadFs(selector);

    /// <summary>Also replaces the active GS base by the descriptor's.</summary>
    public static bool TryLoadGs(ushort selector) => Native.TryLoadGs(selector);
}
