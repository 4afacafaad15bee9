// What can be wrong with a machine's ACPI tables.
namespace Xenolith.Hypervisor.Platform;

/// <summary>Why the machine cannot be used.</summary>
internal enum AcpiProblem
{
    None, NoRootPointer, BadRootTable, NoMadt,
}
