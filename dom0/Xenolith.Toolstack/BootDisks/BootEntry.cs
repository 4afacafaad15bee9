// What a boot loader would start.
namespace Xenolith.Toolstack.BootDisks;

/// <summary>An entry of a boot menu.</summary>
/// <param name="Title">What the menu says.</param>
/// <param name="Kernel">The kernel's path in the file system of the configuration; null for an entry that starts something else.</param>
/// <param name="RamDisks">Paths of the RAM disk's parts, which are read one behind the other.</param>
/// <param name="CommandLine">What the kernel is told.</param>
internal sealed record BootEntry(string Title, string? Kernel, IReadOnlyList<string> RamDisks, string CommandLine);
