// A physical address of the machine.
namespace Xenolith.Machine;

/// <summary>A physical (machine) address in bytes.</summary>
public readonly struct MachineAddress
{
    public readonly ulong Value;

    public MachineAddress(ulong value) => Value = value;

    public Mfn Frame => new(Value >> 12);

    /// <summary>Offset within the frame, 0..4095 bytes.</summary>
    public int Offset => (int)(Value & 0xFFF);

    public MachineAddress Add(ulong bytes) => new(Value + bytes);
}
