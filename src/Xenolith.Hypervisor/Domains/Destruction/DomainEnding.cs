// How far the destruction of a domain has come.
namespace Xenolith.Hypervisor.Domains;

/// <summary>Stage and, within it, the next thing to look at: a port, a handle, a vcpu or a frame.</summary>
public struct DomainEnding
{
    internal DestructionStage Stage;
    internal ulong Cursor;

    /// <summary>The hypervisor destroys it by itself: see <see cref="DomainReaper"/>.</summary>
    internal bool IsReaped;
}

/// <summary>The stages of a destruction, in their order.</summary>
internal enum DestructionStage : byte
{
    Vcpus,
    EventChannels,
    Mappings,
    VcpuState,
    Memory,
    End,
}
