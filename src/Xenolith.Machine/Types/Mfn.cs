// A machine frame number: the index of a 4 KiB frame of physical memory.
namespace Xenolith.Machine;

/// <summary>A machine frame number (Xen: mfn_t). A number from a guest is only an allegation until the frame table has been asked.</summary>
public readonly struct Mfn
{
    /// <summary>The number itself.</summary>
    public readonly ulong Value;

    public Mfn(ulong value) => Value = value;

    /// <summary>No frame: what INVALID_MFN is in Xen.</summary>
    public static Mfn Invalid => new(~0UL);

    public bool IsValid => Value != ~0UL;

    public MachineAddress Address => new(Value << 12);

    public Mfn Add(ulong frames) => new(Value + frames);

    public static bool operator ==(Mfn left, Mfn right) => left.Value == right.Value;

    public static bool operator !=(Mfn left, Mfn right) => left.Value != right.Value;

    public override bool Equals(object? other) => false;

    public override int GetHashCode() => (int)Value;
}
