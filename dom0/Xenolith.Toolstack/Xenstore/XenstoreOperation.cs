// The message types of the xenstore protocol (public header io/xs_wire.h).

namespace Xenolith.Toolstack.Xenstore;

/// <summary>What a xenstore message asks or says: the first word of its header.</summary>
public enum XenstoreOperation : uint
{
    /// <summary>A command for the server itself, such as <c>check</c>; privileged.</summary>
    Control = 0,
    /// <summary>Lists the names of a node's children.</summary>
    Directory = 1,
    /// <summary>Reads a node's value.</summary>
    Read = 2,
    /// <summary>Reads a node's permissions.</summary>
    GetPermissions = 3,
    /// <summary>Registers a watch.</summary>
    Watch = 4,
    /// <summary>Removes a watch.</summary>
    Unwatch = 5,
    /// <summary>Starts a transaction.</summary>
    TransactionStart = 6,
    /// <summary>Commits or drops a transaction.</summary>
    TransactionEnd = 7,
    /// <summary>Connects a domain's ring; privileged.</summary>
    Introduce = 8,
    /// <summary>Disconnects a domain's ring; privileged.</summary>
    Release = 9,
    /// <summary>Asks for a domain's directory.</summary>
    GetDomainPath = 10,
    /// <summary>Writes a node's value and creates what is missing on the way.</summary>
    Write = 11,
    /// <summary>Creates an empty node unless it exists.</summary>
    MakeDirectory = 12,
    /// <summary>Removes a node and all below it.</summary>
    Remove = 13,
    /// <summary>Sets a node's permissions.</summary>
    SetPermissions = 14,
    /// <summary>From the server: a watched node has changed.</summary>
    WatchEvent = 15,
    /// <summary>From the server: the request failed; the payload is the error's name.</summary>
    Error = 16,
    /// <summary>Asks whether a domain's ring is connected; privileged.</summary>
    IsDomainIntroduced = 17,
    /// <summary>Says that a suspended domain runs again; privileged.</summary>
    Resume = 18,
    /// <summary>Gives a domain the rights of another one that it serves; privileged.</summary>
    SetTarget = 19,
    /// <summary>Drops all watches and transactions of the caller.</summary>
    ResetWatches = 21,
    /// <summary>Lists the names of a node's children from an offset on.</summary>
    DirectoryPart = 22,
}
