// Tests that share the one fake machine.
namespace Xenolith.Toolstack.Tests.Support;

/// <summary>The hypervisor and the fake machine keep their state in statics: one machine, one test at a time.</summary>
[CollectionDefinition(Name)]
public sealed class MachineCollection
{
    /// <summary>What the tests' classes name.</summary>
    public const string Name = "machine";
}
