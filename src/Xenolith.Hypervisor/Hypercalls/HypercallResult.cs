// What a hypercall handler tells the dispatcher.
using Xenolith.Abi;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Done with a value, failed with an errno, or to be continued with rewritten arguments.</summary>
public readonly struct HypercallResult
{
    /// <summary>Value for the guest's RAX; meaningless when <see cref="IsContinuation"/>.</summary>
    public readonly long Value;

    /// <summary>The guest executes the hypercall again, with the arguments that the handler left in <see cref="HypercallCall"/>.</summary>
    public readonly bool IsContinuation;

    private HypercallResult(long value, bool isContinuation)
    {
        Value = value;
        IsContinuation = isContinuation;
    }

    public static HypercallResult Success => new(0, false);

    /// <summary>Re-execute with the (possibly rewritten) arguments of the call.</summary>
    public static HypercallResult Continue => new(0, true);

    public static HypercallResult Done(long value) => new(value, false);

    /// <summary>None gives 0, anything else the negative errno.</summary>
    public static HypercallResult From(XenError error) => new(-(long)error, false);
}
