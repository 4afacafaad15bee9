// Why a domain shuts down.
namespace Xenolith.Abi;

/// <summary>SHUTDOWN_* (public sched.h).</summary>
public enum ShutdownReason : uint
{
    PowerOff = 0, Reboot = 1, Suspend = 2, Crash = 3, Watchdog = 4, SoftReset = 5,
}
