// What a domain is made from, beside its kernel.
namespace Xenolith.Hypervisor.Boot.Building;

/// <summary>What <see cref="StartOfDay"/> tells the kernel.</summary>
internal ref struct DomainRecipe
{
    internal ReadOnlySpan<byte> CommandLine;

    internal ulong RamDiskBytes;

    internal int Vcpus;

    /// <summary>Port of the console ring; meaningless for Domain 0, which has the machine's console.</summary>
    internal uint ConsolePort;
}
