// The errors of the xenstore protocol, which travel as names (public header io/xs_wire.h).

using System.Text;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>Why a xenstore request failed. The members' names, in capitals, are the protocol's words.</summary>
public enum XenstoreError
{
    /// <summary>The request is malformed: path, token, permission or number.</summary>
    EINVAL,
    /// <summary>The caller may not do this.</summary>
    EACCES,
    /// <summary>There is already such a thing.</summary>
    EEXIST,
    /// <summary>The node is a directory.</summary>
    EISDIR,
    /// <summary>There is no such node, watch, transaction or domain.</summary>
    ENOENT,
    /// <summary>The server is out of memory.</summary>
    ENOMEM,
    /// <summary>A quota of the caller's domain is used up.</summary>
    ENOSPC,
    /// <summary>The server could not do it.</summary>
    EIO,
    /// <summary>The directory is not empty.</summary>
    ENOTEMPTY,
    /// <summary>The server does not know the operation.</summary>
    ENOSYS,
    /// <summary>The node cannot be written.</summary>
    EROFS,
    /// <summary>The request is not possible at this time.</summary>
    EBUSY,
    /// <summary>The transaction conflicts with a change that somebody else made; start it again.</summary>
    EAGAIN,
    /// <summary>The domain is already connected.</summary>
    EISCONN,
    /// <summary>The reply or the argument is too long for a message.</summary>
    E2BIG,
    /// <summary>Only a node's owner or Domain 0 may do this.</summary>
    EPERM,
}

/// <summary>The errors' names on the wire.</summary>
public static class XenstoreErrorNames
{
    private static readonly byte[][] Names = [.. Enum.GetNames<XenstoreError>().Select(Encoding.ASCII.GetBytes)];

    /// <summary>The error's name in ASCII, without a terminating NUL.</summary>
    public static ReadOnlySpan<byte> ToWire(XenstoreError error) => Names[(int)error];

    /// <summary>The error of that name, with or without a terminating NUL; <see cref="XenstoreError.EINVAL"/> for names that nobody defined, as Linux takes them.</summary>
    public static XenstoreError FromWire(ReadOnlySpan<byte> name)
    {
        name = name.TrimEnd((byte)0);
        for (int i = 0; i < Names.Length; i++)
        {
            if (name.SequenceEqual(Names[i]))
            {
                return (XenstoreError)i;
            }
        }
        return XenstoreError.EINVAL;
    }
}
