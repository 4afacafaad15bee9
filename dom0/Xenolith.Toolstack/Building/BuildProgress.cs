// How far a domain is.
namespace Xenolith.Toolstack.Building;

/// <summary>A step of the building of a domain, and how much of it is done.</summary>
/// <param name="Step">What is being done.</param>
/// <param name="Done">In the unit of <paramref name="Total"/>.</param>
/// <param name="Total">Bytes when something is copied, pages when memory is taken, otherwise 1.</param>
public readonly record struct BuildProgress(BuildStep Step, long Done, long Total);

/// <summary>The steps, in their order.</summary>
public enum BuildStep
{
    /// <summary>The files are opened, and the kernel is unpacked if it is not known yet.</summary>
    Files,

    /// <summary>The domain comes into being.</summary>
    Creation,

    /// <summary>It gets its memory.</summary>
    Memory,

    /// <summary>The kernel is copied.</summary>
    Kernel,

    /// <summary>The RAM disk is copied.</summary>
    RamDisk,

    /// <summary>Page tables, start_info and rings are written.</summary>
    Tables,

    /// <summary>The hypervisor checks the page tables; registers and grants are set.</summary>
    Start,
}
