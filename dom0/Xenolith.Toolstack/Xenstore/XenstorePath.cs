// Names of xenstore nodes: which are valid, and how they are put together.

using System.Buffers;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>The rules for paths of nodes.</summary>
public static class XenstorePath
{
    /// <summary>The most characters of a path from the root.</summary>
    public const int MaximumAbsolute = 3072;

    /// <summary>The most characters of a path from a domain's directory.</summary>
    public const int MaximumRelative = 2048;

    /// <summary>The name to watch for domains that are introduced.</summary>
    public const string IntroduceDomain = "@introduceDomain";

    /// <summary>The name to watch for domains that shut down or are gone.</summary>
    public const string ReleaseDomain = "@releaseDomain";

    private static readonly SearchValues<byte> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@"u8);

    /// <summary>Whether the characters name a node, from the root or from a domain's directory. Special names count as relative ones.</summary>
    public static bool IsValid(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty || path.ContainsAnyExcept(Allowed))
        {
            return false;
        }
        bool absolute = path[0] == '/';
        if (path.Length > (absolute ? MaximumAbsolute : MaximumRelative))
        {
            return false;
        }
        return path.Length == 1 || (path[^1] != '/' && path.IndexOf("//"u8) < 0);
    }

    /// <summary>Whether the characters name a node.</summary>
    public static bool IsValid(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        Span<byte> bytes = path.Length <= MaximumAbsolute ? stackalloc byte[path.Length] : [];
        if (path.Length > MaximumAbsolute)
        {
            return false;
        }
        for (int i = 0; i < path.Length; i++)
        {
            bytes[i] = path[i] < 0x80 ? (byte)path[i] : (byte)0;
        }
        return IsValid(bytes);
    }

    /// <summary>The directory of a domain, which its relative paths start from.</summary>
    public static string OfDomain(uint domain) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"/local/domain/{domain}");

    /// <summary>The node of that name below a directory.</summary>
    public static string Combine(string directory, string name)
    {
        ArgumentNullException.ThrowIfNull(directory);
        return directory is "/" ? "/" + name : directory.Length == 0 ? name : directory + "/" + name;
    }
}
