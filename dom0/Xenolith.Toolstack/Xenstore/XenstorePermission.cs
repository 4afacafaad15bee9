// Who may do what with a node: entries such as "n0" or "r5".

using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>What a permission allows.</summary>
[Flags]
public enum XenstoreAccess : byte
{
    /// <summary>Nothing (<c>n</c>).</summary>
    None = 0,
    /// <summary>Reading value, children and permissions (<c>r</c>).</summary>
    Read = 1,
    /// <summary>Writing the value and creating children (<c>w</c>).</summary>
    Write = 2,
    /// <summary>Both (<c>b</c>).</summary>
    Both = Read | Write,
}

/// <summary>
/// One entry of a node's permissions. The first entry of a list names the owner, who may do everything, and says what domains may do
/// that no further entry names.
/// </summary>
/// <param name="Access">What the domain may do; in the first entry, what all others may do.</param>
/// <param name="Domain">The domain's id.</param>
public readonly record struct XenstorePermission(XenstoreAccess Access, uint Domain)
{
    private const string Letters = "nrwb";

    /// <summary>An owner, and nothing for all others.</summary>
    public static XenstorePermission Owner(uint domain) => new(XenstoreAccess.None, domain);

    /// <summary>Reading for one domain.</summary>
    public static XenstorePermission Reader(uint domain) => new(XenstoreAccess.Read, domain);

    /// <summary>Reads an entry without its NUL; false when it is none.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out XenstorePermission permission)
    {
        permission = default;
        if (text.Length < 2)
        {
            return false;
        }
        int access = Letters.IndexOf((char)text[0], StringComparison.Ordinal);
        if (access < 0 || !Utf8Parser.TryParse(text[1..], out ushort domain, out int used) || used != text.Length - 1 || text[1] is < (byte)'0' or > (byte)'9')
        {
            return false;
        }
        permission = new((XenstoreAccess)access, domain);
        return true;
    }

    /// <summary>The entry's text, such as <c>r5</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Letters[(int)Access & 3]}{Domain}");

    /// <summary>Reads entries that each end with a NUL; false when one is none or there is none at all.</summary>
    public static bool TryParseList(ReadOnlySpan<byte> text, out XenstorePermission[] permissions)
    {
        List<XenstorePermission> list = [];
        permissions = [];
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)0);
            if (end < 0 || !TryParse(text[..end], out XenstorePermission permission))
            {
                return false;
            }
            list.Add(permission);
            text = text[(end + 1)..];
        }
        permissions = [.. list];
        return list.Count > 0;
    }

    /// <summary>The entries as they travel: each with a NUL behind it.</summary>
    public static byte[] FormatList(IEnumerable<XenstorePermission> permissions)
    {
        ArgumentNullException.ThrowIfNull(permissions);
        StringBuilder text = new();
        foreach (XenstorePermission permission in permissions)
        {
            text.Append(permission).Append('\0');
        }
        return Encoding.ASCII.GetBytes(text.ToString());
    }
}
