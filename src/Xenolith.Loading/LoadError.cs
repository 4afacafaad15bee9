// Why a kernel cannot be loaded.
namespace Xenolith.Loading;

/// <summary>Each has one sentence for the user: see <see cref="LoadErrorText"/>.</summary>
internal enum LoadError
{
    None,
    NotAKernel,
    OldBootProtocol,
    Truncated,
    Corrupt,
    UnsupportedPacking,
    PackedWithLzo,
    PackedWithBzip2,
    PackedWithLzma,
    TooBig,
    Not64Bit,
    BadElf,
    NoXenNotes,
    NoEntryNote,
    NotForDomain0,
    HypervisorTooLow,
    OverlappingSegments,
}
