// Every number of the hypercall table: implemented, or listed here with the reason.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class HypercallTableTests
{
    private const int TableSize = 64;
    private const long NotImplemented = -(long)XenError.NotImplemented;

    private static readonly Dictionary<ulong, string> s_notImplemented = new()
    {
        [(ulong)HypercallNumber.SetCallbacks] = "the form before callback_op; a 64-bit kernel has never used it",
        [(ulong)HypercallNumber.SchedOpCompat] = "the form before sched_op",
        [11] = "was never given out",
        [(ulong)HypercallNumber.EventChannelOpCompat] = "tried only where event_channel_op is missing",
        [(ulong)HypercallNumber.PhysdevOpCompat] = "tried only where physdev_op is missing",
        [(ulong)HypercallNumber.XsmOp] = "no security modules",
        [(ulong)HypercallNumber.XenoprofOp] = "removed from the interface",
        [(ulong)HypercallNumber.HvmOp] = "no fully virtualized domains",
        [(ulong)HypercallNumber.KexecOp] = "no crash kernel",
        [(ulong)HypercallNumber.TmemOp] = "removed from the interface",
        [(ulong)HypercallNumber.ArgoOp] = "no Argo",
        [(ulong)HypercallNumber.DmOp] = "no fully virtualized domains",
        [(ulong)HypercallNumber.HypfsOp] = "no hypervisor file system",
        [43] = "not given out",
        [44] = "not given out",
        [45] = "not given out",
        [46] = "not given out",
        [47] = "not given out",
        [(ulong)HypercallNumber.Mca] = "machine checks stay with the hypervisor",
        [(ulong)HypercallNumber.PagingDomctlCont] = "a continuation of a domctl",
    };

    public static IEnumerable<TheoryDataRow<ulong>> Numbers()
    {
        for (ulong number = 0; number < TableSize; number++)
        {
            yield return number;
        }
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void IsImplementedOrListedWithAReason(ulong number)
    {
        TestDomain domain = TestDomain.Create();
        domain.StoreIretFrame(rax: 7);

        // Of these, operation 0 is not one that the hypervisor knows: set_iopl and query_size.
        ulong operation = (HypercallNumber)number is HypercallNumber.PhysdevOp or HypercallNumber.GrantTableOp ? 6u : 0;
        long result = domain.Call((HypercallNumber)number, operation);
        Assert.Equal(number >= 50 || s_notImplemented.ContainsKey(number), result == NotImplemented);
    }

    /// <summary>Bits beyond the table must not fold back into it.</summary>
    [Theory]
    [InlineData(64UL)]
    [InlineData(0x1_0000_0000UL)]
    [InlineData(0x8000_0000_0000_000CUL)]
    [InlineData(ulong.MaxValue)]
    public void ANumberBeyondTheTableIsNotImplemented(ulong number)
        => Assert.Equal(NotImplemented, TestDomain.Create().Call((HypercallNumber)number));
}
