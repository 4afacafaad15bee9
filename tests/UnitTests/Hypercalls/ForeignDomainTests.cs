// Every pair of domains that a page-table hypercall can name, with tables and frames of everybody.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

/// <summary>
/// An entry is stored when the caller may act for the owner of the tables and for the owner of the frame, when the table is the one's and
/// the frame the other's; and in no other case. Whether it is stored or not, every reference is accounted for.
/// </summary>
public sealed class ForeignDomainTests
{
    private const int Domains = 4;
    private const ushort Server = 1;
    private const ushort Served = 2;
    private const ushort Nobody = 9;
    private const int Slot = 20;

    private static readonly ushort[] s_named = [0, Server, Served, 3, Nobody, DomainIds.Self, DomainIds.Io, DomainIds.Xen, DomainIds.Cow, DomainIds.Invalid, DomainIds.Idle, 0xFFFE];

    [Theory]
    [InlineData(0)]
    [InlineData(Server)]
    [InlineData(3)]
    public void OnlyThoseWhoMayServeBothOwnersStoreAnEntry(ushort callerId)
    {
        TestDomain[] domains = new TestDomain[Domains];
        domains[0] = TestDomain.Create();
        for (ushort id = 1; id < Domains; id++)
        {
            domains[id] = TestDomain.CreateOther(id);
        }

        Assert.Equal(XenError.None, DomainControl.TryClaim(ref domains[0].Domain, Server, out DomainControl control));
        Assert.Equal(XenError.None, control.TrySetTarget(Served));
        Mfn[] frames = [.. Array.ConvertAll(domains, domain => domain.NewPage())];
        FrameAudit audit = new() { LeavesLoansOut = true };
        TestDomain caller = domains[callerId];
        caller.Enter(0);
        int stored = 0;
        for (int tables = -1; tables < s_named.Length; tables++)
        {
            foreach (ushort target in s_named)
            {
                ulong argument = target | (tables < 0 ? 0 : (s_named[tables] + 1UL) << 16);
                ushort? tableOwner = tables < 0 ? callerId : MayServe(callerId, s_named[tables]) ? s_named[tables] : null;
                ushort? frameOwner = target == DomainIds.Self ? callerId : target != callerId && MayServe(callerId, target) ? target : null;
                for (ushort table = 0; table < Domains; table++)
                {
                    for (ushort frame = 0; frame < Domains; frame++)
                    {
                        bool isStored = caller.SetEntry(domains[table].WindowL1, Slot, TestDomain.Entry(frames[frame], TestDomain.ReadWrite), argument) == 0;
                        bool isExpected = tableOwner == table && frameOwner == frame;
                        Assert.True(isStored == isExpected, $"domain {callerId}, argument {argument:X}: an entry in a table of {table} for a frame of {frame} is {(isStored ? "stored" : "refused")}");
                        Assert.Equal(isStored, PhysicalMemory.Word(domains[table].WindowL1, Slot) != 0);
                        if (isStored)
                        {
                            stored++;
                            audit.Check();
                            Assert.Equal(0, caller.SetEntry(domains[table].WindowL1, Slot, 0, argument));
                        }
                    }
                }

                audit.Check();
            }
        }

        Assert.True(stored > 0);
        Assert.All(frames, frame => Assert.Equal(1U, FrameTable.At(frame).GeneralCount));
    }

    private static bool MayServe(ushort caller, ushort id) => id < Domains && (caller == 0 || id == caller || (caller == Server && id == Served));
}
