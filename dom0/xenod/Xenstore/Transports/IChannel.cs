// How the bytes of one connection come and go.

namespace Xenod.Xenstore.Transports;

/// <summary>
/// The two directions of a connection. What is taken and put becomes visible to the other side only with <see cref="Publish"/>, which the
/// server calls when the journal knows of it.
/// </summary>
internal interface IChannel : IDisposable
{
    /// <summary>Copies bytes that have come, from the first one not taken; the result says how many, -1 when the other side breaks the rules or is gone.</summary>
    int Peek(Span<byte> destination);

    /// <summary>Takes bytes that were copied.</summary>
    void Take(int count);

    /// <summary>Puts as many bytes as there is room for; the result says how many, -1 when the other side breaks the rules or is gone.</summary>
    int Put(ReadOnlySpan<byte> source);

    /// <summary>Shows the other side what was taken and put.</summary>
    /// <returns>Whether the other side has moved in the meantime, without knowing that it would have to say so.</returns>
    bool Publish();
}
