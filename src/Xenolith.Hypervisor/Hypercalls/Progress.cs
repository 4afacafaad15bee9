// Where a continued hypercall with one argument stands.
namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>
/// Such a call keeps a number in RSI, which it does not use otherwise, behind a mark by which it is told from what the caller has
/// there by chance. The number is the caller's word all the same: whoever reads it checks it.
/// </summary>
internal static class Progress
{
    private const ulong Mark = 0xC0E1_5CE5_0000_0000;
    private const ulong MarkBits = 0xFFFF_FFFF_0000_0000;

    /// <summary>The number, or 0 for a call that begins.</summary>
    internal static uint Read(ref HypercallCall call) => (call.Argument1 & MarkBits) == Mark ? (uint)call.Argument1 : 0;

    internal static HypercallResult ContinueAt(ref HypercallCall call, uint number)
    {
        call.Argument1 = Mark | number;
        return HypercallResult.Continue;
    }

    /// <summary>The call is done: its mark must not be found by the next one.</summary>
    internal static void End(ref HypercallCall call)
    {
        if ((call.Argument1 & MarkBits) == Mark && !call.IsInMulticall)
        {
            call.Vcpu.Context.Registers.Rsi = 0;
        }
    }
}
