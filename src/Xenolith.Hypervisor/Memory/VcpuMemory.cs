// Page-table work that a vcpu still owes.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>The one table whose dismantling was interrupted; finished before the vcpu's next page-table operation.</summary>
public struct VcpuMemory
{
    /// <summary>Frame of the table, meaningful when <see cref="HasDeferred"/>.</summary>
    public Mfn Deferred;
    public bool HasDeferred;
}
