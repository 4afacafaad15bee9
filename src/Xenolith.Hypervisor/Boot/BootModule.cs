// A file that the boot loader put into memory.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot;

/// <summary>Where a module lies and what was written behind its name.</summary>
internal struct BootModule
{
    internal MachineAddress Start;
    internal int Bytes;
    internal BootInformation.TextRange TextRange;

    /// <summary>Frames that the module touches.</summary>
    internal readonly ulong Frames => ((ulong)Start.Offset + (ulong)Bytes + 4095) >> 12;

    internal readonly ReadOnlySpan<byte> Contents => PhysicalMemory.Range(Start, Bytes);

    /// <summary>The text behind the file's name.</summary>
    internal readonly ReadOnlySpan<byte> Text => BootInformation.Text(TextRange);
}
