// The operations of grant_table_op.
namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>GNTTABOP_* that share a loop or a frame of code.</summary>
internal enum GrantOperation
{
    Map, Transfer, Copy, Swap, SetupTable, QuerySize, GetStatusFrames,
}
