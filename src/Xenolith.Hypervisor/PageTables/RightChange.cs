// What an update does to the right to write.
namespace Xenolith.Hypervisor.PageTables;

/// <summary>How the right to write changes between two entries with the same target.</summary>
internal enum RightChange
{
    None,
    Gained,
    Lost,
}
