// Names of the hypervisor's own routines.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>The table that tools/build/symbols.py makes; its layout is described there.</summary>
public static unsafe class Symbols
{
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "symbol_table")] private static extern void TableSymbol();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "image_text_start")] private static extern void TextStartSymbol();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "image_text_end")] private static extern void TextEndSymbol();

    private const int HeaderBytes = 24;

    internal static ulong TextStart => (ulong)(delegate*<void>)&TextStartSymbol;

    internal static ulong TextEnd => (ulong)(delegate*<void>)&TextEndSymbol;

    private static byte* Table => (byte*)(delegate*<void>)&TableSymbol;

    /// <summary>First 8 bytes of the build's identification.</summary>
    public static ulong BuildId => *(ulong*)(Table + 4);

    /// <summary>All 20 bytes of it.</summary>
    public static ReadOnlySpan<byte> BuildIdBytes => new(Table + 4, HeaderBytes - 4);

    /// <summary>The routine that contains an address of the text.</summary>
    public static bool TryFind(ulong address, out ReadOnlySpan<byte> name, out ulong offset)
    {
        name = default;
        offset = 0;
        uint count = *(uint*)Table;
        if (address < TextStart || address >= TextEnd || count == 0)
        {
            return false;
        }

        // SAFETY: the build writes count rows of 8 bytes and then zero-ended names.
        uint* rows = (uint*)(Table + HeaderBytes);
        uint wanted = (uint)(address - TextStart);
        uint low = 0;
        uint high = count;
        while (high - low > 1)
        {
            uint middle = (low + high) / 2;
            if (rows[middle * 2] <= wanted)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        byte* text = (byte*)(rows + (count * 2)) + rows[(low * 2) + 1];
        int length = 0;
        while (text[length] != 0)
        {
            length++;
        }

        name = new ReadOnlySpan<byte>(text, length);
        offset = wanted - rows[low * 2];
        return true;
    }
}
