// Where the journal's bytes are kept.

namespace Xenod.Xenstore.Journal;

/// <summary>A run of bytes that outlives the process.</summary>
internal interface IJournalFile : IDisposable
{
    /// <summary>All bytes.</summary>
    byte[] Read();

    /// <summary>Adds bytes at the end; when the process dies in the middle, a first part of them may be there.</summary>
    /// <exception cref="IOException">They cannot be written.</exception>
    void Append(ReadOnlySpan<byte> bytes);

    /// <summary>Puts these bytes in the place of all others; when the process dies in the middle, either all of the old or all of the new are there.</summary>
    /// <exception cref="IOException">They cannot be written; the old ones are still there.</exception>
    void Replace(ReadOnlySpan<byte> bytes);
}
