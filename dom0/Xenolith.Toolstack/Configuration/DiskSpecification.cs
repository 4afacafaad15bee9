// A disk of a domain as the configuration describes it.
namespace Xenolith.Toolstack.Configuration;

/// <summary>What the target of a disk holds.</summary>
public enum DiskFormat
{
    /// <summary>The disk's sectors, one after the other.</summary>
    Raw,

    /// <summary>QEMU's format, version 2 or 3.</summary>
    Qcow2,

    /// <summary>QEMU's older format.</summary>
    Qcow,

    /// <summary>Virtual PC's format.</summary>
    Vhd,

    /// <summary>QEMU's enhanced disk.</summary>
    Qed,

    /// <summary>A list of pieces of files and block devices, which together are the disk (<see cref="ExtentList"/>).</summary>
    Extents,

    /// <summary>A drive without a medium.</summary>
    Empty,
}

/// <summary>A disk of a domain.</summary>
/// <param name="Target">A block device or a file of Domain 0; empty for a drive without a medium.</param>
/// <param name="Device">Its name in the guest.</param>
public sealed record DiskSpecification(string Target, VirtualDevice Device)
{
    /// <summary>As it was written.</summary>
    public string Text { get; init; } = "";

    /// <summary>What the target holds.</summary>
    public DiskFormat Format { get; init; }

    /// <summary>The guest can only read it.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>The guest sees a compact disk drive.</summary>
    public bool IsCdrom { get; init; }

    /// <summary>It may be in use by others that write: the sharing check is left out (access <c>w!</c>).</summary>
    public bool IsShared { get; init; }

    /// <summary>Whether the guest may give blocks back; null leaves it to the target.</summary>
    public bool? AllowsDiscard { get; init; }
}
