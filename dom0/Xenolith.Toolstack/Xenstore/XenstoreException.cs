// What goes wrong with xenstore, said so that the reader knows what to do.

namespace Xenolith.Toolstack.Xenstore;

/// <summary>The xenstore server refused a request.</summary>
public sealed class XenstoreException : Exception
{
    /// <summary>The request's operation, the node or other thing it was about, and why it failed.</summary>
    public XenstoreException(XenstoreOperation operation, string subject, XenstoreError error)
        : base($"xenstore refused {operation} of '{subject}' with {error}: {Explain(error)}")
    {
        Operation = operation;
        Subject = subject;
        Error = error;
    }

    /// <summary>What was asked.</summary>
    public XenstoreOperation Operation { get; }

    /// <summary>The node, or the domain's number, that the request was about.</summary>
    public string Subject { get; }

    /// <summary>Why it failed.</summary>
    public XenstoreError Error { get; }

    private static string Explain(XenstoreError error) => error switch
    {
        XenstoreError.EINVAL => "the server finds the path or an argument malformed.",
        XenstoreError.EACCES or XenstoreError.EPERM => "this domain may not do that; ask the node's owner or Domain 0 for permission.",
        XenstoreError.EEXIST => "there is one already.",
        XenstoreError.ENOENT => "there is no such node, watch, transaction or domain.",
        XenstoreError.ENOSPC => "the domain's quota of nodes, bytes or transactions is used up; remove some.",
        XenstoreError.ENOSYS => "the server does not know this operation.",
        XenstoreError.EAGAIN => "somebody else changed what the transaction used; run it again.",
        XenstoreError.E2BIG => "too long for one message, or too many watches.",
        XenstoreError.EBUSY => "not possible at this time.",
        _ => "the server could not do it; its log says more.",
    };
}

/// <summary>The connection to the xenstore server could not be made, or is lost.</summary>
public sealed class XenstoreConnectionException : IOException
{
    /// <summary>What happened.</summary>
    public XenstoreConnectionException(string message) : base(message)
    {
    }

    /// <summary>What happened, and because of what.</summary>
    public XenstoreConnectionException(string message, Exception cause) : base(message, cause)
    {
    }
}
