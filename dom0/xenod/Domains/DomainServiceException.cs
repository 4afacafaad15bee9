// Why the daemon does not do what it was asked for.
namespace Xenod.Domains;

/// <summary>The kinds of refusal, each with an HTTP status of its own.</summary>
internal enum Refusal
{
    /// <summary>What was asked for is malformed or cannot be had.</summary>
    Invalid,

    /// <summary>There is no such thing.</summary>
    NotFound,

    /// <summary>It does not go together with what there is.</summary>
    Conflict,

    /// <summary>There is not enough of something.</summary>
    NoRoom,

    /// <summary>It was tried and did not work.</summary>
    Failed,
}

/// <summary>A refusal; the message is one sentence that says what, why, and what to do.</summary>
internal sealed class DomainServiceException(Refusal refusal, string message, Exception? cause = null) : Exception(message, cause)
{
    internal Refusal Refusal { get; } = refusal;
}
