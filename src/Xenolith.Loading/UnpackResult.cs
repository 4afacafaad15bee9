// How unpacking ended.
namespace Xenolith.Loading;

/// <summary>Result of a decoder. A decoder never reads outside its input nor writes outside its output, whatever the input.</summary>
internal enum UnpackResult
{
    Done,

    /// <summary>The input ends too early.</summary>
    Truncated,

    /// <summary>The input breaks the format's rules, or a checksum does not match.</summary>
    Corrupt,

    /// <summary>The output does not hold what the input unpacks to.</summary>
    TooBig,

    /// <summary>A part of the format that is not supported: filter, checksum or several streams.</summary>
    Unsupported,
}
