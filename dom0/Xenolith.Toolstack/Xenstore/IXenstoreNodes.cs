// What can be done with nodes, inside and outside of a transaction.

namespace Xenolith.Toolstack.Xenstore;

/// <summary>
/// Operations on nodes. Paths start at the root, or without a slash at the caller's own directory. Each throws <see cref="XenstoreException"/>
/// when the server refuses and <see cref="XenstoreConnectionException"/> when the connection is lost.
/// </summary>
public interface IXenstoreNodes
{
    /// <summary>The node's value: any bytes, with no NUL at the end.</summary>
    Task<byte[]> ReadAsync(string path, CancellationToken cancellation = default);

    /// <summary>Writes the value; the node and missing parents are created.</summary>
    Task WriteAsync(string path, ReadOnlyMemory<byte> value, CancellationToken cancellation = default);

    /// <summary>Creates the node and missing parents, with empty values; nothing happens when it exists.</summary>
    Task MakeDirectoryAsync(string path, CancellationToken cancellation = default);

    /// <summary>Removes the node and all below it; nothing happens when it is absent and its parent exists.</summary>
    Task RemoveAsync(string path, CancellationToken cancellation = default);

    /// <summary>The names of the node's children, however many.</summary>
    Task<IReadOnlyList<string>> ListAsync(string path, CancellationToken cancellation = default);

    /// <summary>The node's permissions, owner first.</summary>
    Task<IReadOnlyList<XenstorePermission>> GetPermissionsAsync(string path, CancellationToken cancellation = default);

    /// <summary>Sets the node's permissions, owner first.</summary>
    Task SetPermissionsAsync(string path, IReadOnlyList<XenstorePermission> permissions, CancellationToken cancellation = default);
}
