// What the daemon can tell of the machine; the HTTP interface stands on it.
using Xenolith.Toolstack.Daemon;

namespace Xenod.Machine;

/// <summary>The machine as a whole.</summary>
internal interface IMachineService
{
    /// <summary>What it has now.</summary>
    MachineView Get();

    /// <summary>What the hypervisor has said and still keeps.</summary>
    string ReadLog();

    /// <summary>What Domain 0's kernel has counted of a domain's devices.</summary>
    DeviceCounters Count(ushort domain);
}
