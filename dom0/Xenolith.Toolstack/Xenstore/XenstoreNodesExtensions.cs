// Shorter forms of the operations on nodes.

using System.Globalization;
using System.Text;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>Text instead of bytes, and null instead of an exception for nodes that are not there.</summary>
public static class XenstoreNodesExtensions
{
    /// <summary>The value, or null when there is no such node.</summary>
    public static async Task<byte[]?> TryReadAsync(this IXenstoreNodes nodes, string path, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        try
        {
            return await nodes.ReadAsync(path, cancellation).ConfigureAwait(false);
        }
        catch (XenstoreException e) when (e.Error == XenstoreError.ENOENT)
        {
            return null;
        }
    }

    /// <summary>The value as text.</summary>
    public static async Task<string> ReadTextAsync(this IXenstoreNodes nodes, string path, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        return Encoding.UTF8.GetString(await nodes.ReadAsync(path, cancellation).ConfigureAwait(false));
    }

    /// <summary>The value as text, or null when there is no such node.</summary>
    public static async Task<string?> TryReadTextAsync(this IXenstoreNodes nodes, string path, CancellationToken cancellation = default) =>
        await nodes.TryReadAsync(path, cancellation).ConfigureAwait(false) is { } value ? Encoding.UTF8.GetString(value) : null;

    /// <summary>Writes text.</summary>
    public static Task WriteAsync(this IXenstoreNodes nodes, string path, string value, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        return nodes.WriteAsync(path, Encoding.UTF8.GetBytes(value), cancellation);
    }

    /// <summary>Writes a number in decimal.</summary>
    public static Task WriteAsync(this IXenstoreNodes nodes, string path, long value, CancellationToken cancellation = default) =>
        nodes.WriteAsync(path, value.ToString(CultureInfo.InvariantCulture), cancellation);

    /// <summary>The names of the children, or null when there is no such node.</summary>
    public static async Task<IReadOnlyList<string>?> TryListAsync(this IXenstoreNodes nodes, string path, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        try
        {
            return await nodes.ListAsync(path, cancellation).ConfigureAwait(false);
        }
        catch (XenstoreException e) when (e.Error == XenstoreError.ENOENT)
        {
            return null;
        }
    }

    /// <summary>Whether there is such a node that the caller can read.</summary>
    public static async Task<bool> ExistsAsync(this IXenstoreNodes nodes, string path, CancellationToken cancellation = default) =>
        await nodes.TryReadAsync(path, cancellation).ConfigureAwait(false) is not null;
}
