// What one guest may use of the server.

namespace Xenod.Xenstore;

/// <summary>The quotas of domains other than Domain 0. A request beyond one fails; nothing else happens to the domain.</summary>
internal sealed record StoreLimits
{
    public static StoreLimits Default { get; } = new();

    /// <summary>Nodes that a domain owns.</summary>
    public int Nodes { get; init; } = 1000;

    /// <summary>Watches of a domain.</summary>
    public int Watches { get; init; } = 128;

    /// <summary>Bytes of a value.</summary>
    public int ValueBytes { get; init; } = 2048;

    /// <summary>Transactions open at a time.</summary>
    public int Transactions { get; init; } = 10;

    /// <summary>Permission entries of a node.</summary>
    public int Permissions { get; init; } = 5;

    /// <summary>Nodes that one transaction uses.</summary>
    public int TouchedNodes { get; init; } = 1024;

    /// <summary>Bytes of the domain's nodes, watches and open transactions together.</summary>
    public long Bytes { get; init; } = 2560 * 1024;

    /// <summary>Queued bytes of replies and events beyond which no more requests are taken.</summary>
    public int QueuedBytes { get; init; } = 16 * 1024;

    /// <summary>Queued bytes beyond which events are left out; all watches fire once instead when the domain reads again.</summary>
    public int QueuedEventBytes { get; init; } = 256 * 1024;

    /// <summary>Changes to the tree after which a transaction that is still open has to be made again, so that old trees can be forgotten.</summary>
    public ulong TransactionAge { get; init; } = 16 * 1024;

    /// <summary>Everything as often as wanted: for Domain 0, whose queue alone is bounded.</summary>
    public static StoreLimits Unlimited { get; } = new()
    {
        Nodes = int.MaxValue,
        Watches = int.MaxValue,
        ValueBytes = int.MaxValue,
        Transactions = int.MaxValue,
        Permissions = int.MaxValue,
        TouchedNodes = int.MaxValue,
        Bytes = long.MaxValue,
        QueuedBytes = 1 << 20,
        QueuedEventBytes = 16 << 20,
        TransactionAge = ulong.MaxValue,
    };
}
