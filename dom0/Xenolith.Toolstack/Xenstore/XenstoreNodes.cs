// Operations on nodes as requests, with one transaction's number or with none.

using System.Globalization;
using System.Text;

namespace Xenolith.Toolstack.Xenstore;

internal sealed class XenstoreNodes(XenstoreConnection connection, uint transaction) : IXenstoreNodes
{
    public Task<byte[]> ReadAsync(string path, CancellationToken cancellation) => AskAsync(XenstoreOperation.Read, path, Checked(XenstoreOperation.Read, path), cancellation);

    public Task WriteAsync(string path, ReadOnlyMemory<byte> value, CancellationToken cancellation)
    {
        byte[] name = Checked(XenstoreOperation.Write, path);
        byte[] payload = new byte[name.Length + value.Length];
        name.CopyTo(payload, 0);
        value.Span.CopyTo(payload.AsSpan(name.Length));
        return AskAsync(XenstoreOperation.Write, path, payload, cancellation);
    }

    public Task MakeDirectoryAsync(string path, CancellationToken cancellation) =>
        AskAsync(XenstoreOperation.MakeDirectory, path, Checked(XenstoreOperation.MakeDirectory, path), cancellation);

    public Task RemoveAsync(string path, CancellationToken cancellation) => AskAsync(XenstoreOperation.Remove, path, Checked(XenstoreOperation.Remove, path), cancellation);

    public async Task<IReadOnlyList<string>> ListAsync(string path, CancellationToken cancellation)
    {
        try
        {
            byte[] reply = await AskAsync(XenstoreOperation.Directory, path, Checked(XenstoreOperation.Directory, path), cancellation).ConfigureAwait(false);
            return Strings(reply);
        }
        catch (XenstoreException e) when (e.Error == XenstoreError.E2BIG)
        {
            return await ListByPartsAsync(path, cancellation).ConfigureAwait(false);
        }
    }

    public async Task<IReadOnlyList<XenstorePermission>> GetPermissionsAsync(string path, CancellationToken cancellation)
    {
        byte[] reply = await AskAsync(XenstoreOperation.GetPermissions, path, Checked(XenstoreOperation.GetPermissions, path), cancellation).ConfigureAwait(false);
        return XenstorePermission.TryParseList(reply, out XenstorePermission[] permissions)
            ? permissions
            : throw new XenstoreConnectionException($"the xenstore server sent permissions of '{path}' that are none");
    }

    public Task SetPermissionsAsync(string path, IReadOnlyList<XenstorePermission> permissions, CancellationToken cancellation) =>
        AskAsync(XenstoreOperation.SetPermissions, path, (byte[])[.. Checked(XenstoreOperation.SetPermissions, path), .. XenstorePermission.FormatList(permissions)], cancellation);

    /// <summary>Splits strings that each end with a NUL.</summary>
    public static List<string> Strings(ReadOnlySpan<byte> text)
    {
        List<string> result = [];
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)0);
            end = end < 0 ? text.Length : end;
            result.Add(Encoding.ASCII.GetString(text[..end]));
            text = text[Math.Min(end + 1, text.Length)..];
        }
        return result;
    }

    /// <summary>The path with a NUL behind it.</summary>
    public static byte[] Checked(XenstoreOperation operation, string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return XenstorePath.IsValid(path) ? Encoding.ASCII.GetBytes(path + "\0") : throw new XenstoreException(operation, path, XenstoreError.EINVAL);
    }

    // Each part starts with the generation of the list; when that changes, the parts are of different lists.
    private async Task<IReadOnlyList<string>> ListByPartsAsync(string path, CancellationToken cancellation)
    {
        while (true)
        {
            List<string> names = [];
            string? generation = null;
            int offset = 0;
            while (true)
            {
                byte[] payload = [.. Checked(XenstoreOperation.DirectoryPart, path), .. Encoding.ASCII.GetBytes(offset.ToString(CultureInfo.InvariantCulture) + "\0")];
                byte[] reply = await AskAsync(XenstoreOperation.DirectoryPart, path, payload, cancellation).ConfigureAwait(false);
                List<string> part = Strings(reply);
                if (part.Count < 2)
                {
                    throw new XenstoreConnectionException($"the xenstore server sent a part of the directory '{path}' without names");
                }
                generation ??= part[0];
                if (part[0] != generation)
                {
                    break;
                }
                bool last = part[^1].Length == 0;
                int count = part.Count - (last ? 1 : 0);
                for (int i = 1; i < count; i++)
                {
                    names.Add(part[i]);
                    offset += part[i].Length + 1;
                }
                if (last)
                {
                    return names;
                }
            }
        }
    }

    private Task<byte[]> AskAsync(XenstoreOperation operation, string subject, ReadOnlyMemory<byte> payload, CancellationToken cancellation) =>
        connection.AskAsync(operation, transaction, subject, payload, cancellation);
}
