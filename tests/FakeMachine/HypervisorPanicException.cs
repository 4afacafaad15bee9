// What a panic of the hypervisor is in a test.
namespace Xenolith.Machine;

/// <summary>The hypervisor has stopped the machine. No argument of a guest may ever cause it.</summary>
public sealed class HypervisorPanicException : Exception
{
    public HypervisorPanicException()
    {
    }

    public HypervisorPanicException(string reason)
        : base(reason)
    {
    }

    public HypervisorPanicException(string reason, Exception inner)
        : base(reason, inner)
    {
    }
}
