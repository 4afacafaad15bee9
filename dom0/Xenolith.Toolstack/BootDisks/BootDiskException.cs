// Why a disk cannot be booted from.
namespace Xenolith.Toolstack.BootDisks;

/// <summary>The message names the disk, says what is wrong with it and what to do.</summary>
public sealed class BootDiskException(string message, Exception? inner = null) : Exception(message, inner);
