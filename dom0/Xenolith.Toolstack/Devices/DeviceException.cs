// A device that cannot be given to a domain, or taken from it.
namespace Xenolith.Toolstack.Devices;

/// <summary>A device could not be attached, served or detached; the message says which, why, and what to do.</summary>
public sealed class DeviceException(string message, Exception? cause = null) : Exception(message, cause);
