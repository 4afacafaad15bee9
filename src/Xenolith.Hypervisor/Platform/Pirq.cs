// A physical interrupt as a domain knows it.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>One line of an IO-APIC or one message of a PCI function.</summary>
internal struct Pirq
{
    internal PirqKind Kind;

    /// <summary>A level line is masked from its interrupt to the guest's end of interrupt.</summary>
    internal bool IsLevel;
    internal bool IsActiveLow;

    /// <summary>setup_gsi has said how the line behaves; the first setting wins.</summary>
    internal bool IsConfigured;

    /// <summary>A domain has mapped it and may bind it.</summary>
    internal bool IsMapped;
    internal bool IsWaitingForEnd;

    /// <summary>Vector, 0 = none yet.</summary>
    internal byte Vector;
    internal ushort DomainId;

    /// <summary>Event channel it is bound to, 0 = none.</summary>
    internal uint Port;

    /// <summary>Message: the function that sends it.</summary>
    internal PciFunction Function;

    /// <summary>MSI-X: where its table entry lies.</summary>
    internal MachineAddress TableEntry;
}

/// <summary>Where a physical interrupt comes from.</summary>
internal enum PirqKind : byte
{
    Line, Msi, MsiX,
}
