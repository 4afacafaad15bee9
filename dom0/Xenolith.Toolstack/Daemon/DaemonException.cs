// What the daemon refused, or that it is not there.
using System.Net;

namespace Xenolith.Toolstack.Daemon;

/// <summary>The daemon does not do what it was asked for; the message is one sentence that says what, why, and what to do.</summary>
public sealed class DaemonException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="status">The answer's status; null: there was no answer.</param>
    /// <param name="message">The sentence.</param>
    /// <param name="cause">What lies below, if anything.</param>
    public DaemonException(HttpStatusCode? status, string message, Exception? cause = null)
        : base(message, cause) => Status = status;

    /// <summary>The answer's status; null: the daemon does not answer.</summary>
    public HttpStatusCode? Status { get; }
}
