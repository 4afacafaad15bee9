// Twin of Traps/Symbols.cs: a hosted build has no table.
namespace Xenolith.Machine;

/// <summary>Knows no names.</summary>
public static class Symbols
{
    public static ulong BuildId => 0;

    public static ReadOnlySpan<byte> BuildIdBytes => "twenty bytes of build"u8[..20];

    public static bool TryFind(ulong address, out ReadOnlySpan<byte> name, out ulong offset)
    {
        name = default;
        offset = 0;
        return false;
    }
}
