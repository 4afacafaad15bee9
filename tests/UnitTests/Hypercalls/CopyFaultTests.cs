// Guest memory that faults: at each copy of each hypercall, and at each byte of each argument.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Machine;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class CopyFaultTests
{
    private const long Fault = -(long)XenError.Fault;
    private const int MostCopies = 2000;

    /// <summary>A hypercall that succeeds when nothing faults.</summary>
    /// <param name="Number">Which.</param>
    /// <param name="Bytes">Length of the structure at the address of the arguments, 0 when it is not the first thing there.</param>
    /// <param name="Pointer">Which argument points to it.</param>
    /// <param name="Result">What a fault gives.</param>
    /// <param name="Prepare">Stores the structure and gives the arguments.</param>
    private sealed record Scenario(HypercallNumber Number, int Bytes, int Pointer, Outcome Result, Func<TestDomain, ulong[]> Prepare);

    /// <summary>What the interface promises when a copy faults.</summary>
    private enum Outcome
    {
        /// <summary>-EFAULT, whichever copy it was.</summary>
        Fault,

        /// <summary>How many elements were done before.</summary>
        Count,

        /// <summary>-EFAULT, or success when only the counter of done requests could not be stored.</summary>
        FaultUnlessCounter,
    }

    private static readonly Dictionary<string, Scenario> s_scenarios = new()
    {
        ["set_trap_table"] = new(HypercallNumber.SetTrapTable, 32, 0, Outcome.Fault, domain =>
        {
            domain.Store(0, 14);
            domain.Store(8, 0x1000);
            domain.Store(16, 0);
            domain.Store(24, 0);
            return [domain.Arguments];
        }),
        ["mmu_update"] = new(HypercallNumber.MmuUpdate, 32, 0, Outcome.FaultUnlessCounter, domain =>
        {
            domain.Store(0, TestDomain.EntryAddress(domain.WindowL1, 0));
            domain.Store(8, TestDomain.Entry(domain.NewPage(), TestDomain.ReadWrite));
            domain.Store(16, TestDomain.EntryAddress(domain.WindowL1, 1));
            domain.Store(24, TestDomain.Entry(domain.NewPage(), TestDomain.Present));
            return [domain.Arguments, 2, 0, TestDomain.Self];
        }),
        ["mmu_update with a counter"] = new(HypercallNumber.MmuUpdate, 0, 0, Outcome.FaultUnlessCounter, domain =>
        {
            domain.Store(0, TestDomain.EntryAddress(domain.WindowL1, 0));
            domain.Store(8, TestDomain.Entry(domain.NewPage(), TestDomain.ReadWrite));
            return [domain.Arguments, 1, domain.Arguments + 512, TestDomain.Self];
        }),
        ["mmuext_op"] = new(HypercallNumber.MmuExtendedOp, 48, 0, Outcome.FaultUnlessCounter, domain =>
        {
            domain.Store(0, (ulong)MmuExtendedCommand.PinL2Table);
            domain.Store(8, domain.NewTable(TestDomain.Entry(domain.NewPage(), TestDomain.TableFlags)).Value);
            domain.Store(24, (ulong)MmuExtendedCommand.PinL1Table);
            domain.Store(32, domain.NewPage().Value);
            return [domain.Arguments, 2, 0, TestDomain.Self];
        }),
        ["set_gdt"] = new(HypercallNumber.SetGdt, 16, 0, Outcome.Fault, domain =>
        {
            domain.Store(0, domain.NewPage().Value);
            domain.Store(8, domain.NewPage().Value);
            return [domain.Arguments, 1024];
        }),
        ["platform_op settime64"] = new(HypercallNumber.PlatformOp, 32, 0, Outcome.Fault, domain =>
        {
            domain.Store(0, 62 | (0x0300_0001UL << 32));
            domain.Store(8, 1_700_000_000);
            domain.Store(16, 5);
            domain.Store(24, 1000);
            return [domain.Arguments];
        }),
        ["platform_op get_cpuinfo"] = new(HypercallNumber.PlatformOp, 28, 0, Outcome.Fault, domain =>
        {
            domain.Store(0, 55 | (0x0300_0001UL << 32));
            domain.Store(8, 0);
            return [domain.Arguments];
        }),
        ["decrease_reservation"] = new(HypercallNumber.MemoryOp, 0, 1, Outcome.Count, domain =>
        {
            Mfn[] frames = [domain.NewPage(), domain.NewPage(), domain.NewPage()];
            domain.StoreReservation(0, domain.Arguments + 512, 3, 0);
            for (int i = 0; i < frames.Length; i++)
            {
                domain.Store(512 + (i * 8), frames[i].Value);
            }

            return [1, domain.Arguments];
        }),
        ["increase_reservation"] = new(HypercallNumber.MemoryOp, 0, 1, Outcome.Count, domain =>
        {
            domain.StoreReservation(0, domain.Arguments + 512, 3, 1);
            return [0, domain.Arguments];
        }),
        ["populate_physmap"] = new(HypercallNumber.MemoryOp, 0, 1, Outcome.Count, domain =>
        {
            domain.StoreReservation(0, domain.Arguments + 512, 3, 0);
            domain.Store(512, 10);
            domain.Store(520, 11);
            domain.Store(528, 12);
            return [6, domain.Arguments];
        }),
        ["machine_memory_map"] = new(HypercallNumber.MemoryOp, 16, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, 1000);
            domain.Store(8, 0);
            return [10, domain.Arguments];
        }),
        ["machphys_mapping"] = new(HypercallNumber.MemoryOp, 24, 1, Outcome.Fault, domain => [12, domain.Arguments]),
        ["update_descriptor"] = new(HypercallNumber.UpdateDescriptor, 0, 0, Outcome.Fault, domain => [domain.NewPage().Address.Value, 0]),
        ["xen_version extraversion"] = new(HypercallNumber.XenVersion, 16, 1, Outcome.Fault, domain => [1, domain.Arguments]),
        ["xen_version compile_info"] = new(HypercallNumber.XenVersion, 144, 1, Outcome.Fault, domain => [2, domain.Arguments]),
        ["xen_version capabilities"] = new(HypercallNumber.XenVersion, 1024, 1, Outcome.Fault, domain => [3, domain.Arguments]),
        ["xen_version changeset"] = new(HypercallNumber.XenVersion, 64, 1, Outcome.Fault, domain => [4, domain.Arguments]),
        ["xen_version platform_parameters"] = new(HypercallNumber.XenVersion, 8, 1, Outcome.Fault, domain => [5, domain.Arguments]),
        ["xen_version get_features"] = new(HypercallNumber.XenVersion, 8, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, 0);
            return [6, domain.Arguments];
        }),
        ["xen_version guest_handle"] = new(HypercallNumber.XenVersion, 16, 1, Outcome.Fault, domain => [8, domain.Arguments]),
        ["console_io write"] = new(HypercallNumber.ConsoleIo, 300, 2, Outcome.Fault, domain => [0, 300, domain.Arguments]),
        ["vcpu_op get_runstate_info"] = new(HypercallNumber.VcpuOp, 48, 2, Outcome.Fault, domain => [4, 0, domain.Arguments]),
        ["vcpu_op register_vcpu_info"] = new(HypercallNumber.VcpuOp, 12, 2, Outcome.Fault, domain =>
        {
            domain.Store(0, domain.NewPage().Value);
            domain.Store(8, 64);
            return [10, 0, domain.Arguments];
        }),
        ["vcpu_op set_periodic_timer"] = new(HypercallNumber.VcpuOp, 8, 2, Outcome.Fault, domain =>
        {
            domain.Store(0, 10_000_000);
            return [6, 0, domain.Arguments];
        }),
        ["vcpu_op set_singleshot_timer"] = new(HypercallNumber.VcpuOp, 8, 2, Outcome.Fault, domain =>
        {
            domain.Store(0, 1_000_000_000_000);
            return [8, 0, domain.Arguments];
        }),
        ["sched_op poll"] = new(HypercallNumber.SchedOp, 24, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, domain.Arguments);
            domain.Store(8, 0);
            domain.Store(16, 1);
            return [3, domain.Arguments];
        }),
        ["callback_op register"] = new(HypercallNumber.CallbackOp, 16, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, 0);
            domain.Store(8, 0x1000);
            return [0, domain.Arguments];
        }),
        ["event_channel_op bind_virq"] = new(HypercallNumber.EventChannelOp, 12, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, 0);
            domain.Store(8, 0);
            return [1, domain.Arguments];
        }),
        ["event_channel_op bind_ipi"] = new(HypercallNumber.EventChannelOp, 8, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, 0);
            return [7, domain.Arguments];
        }),
        ["event_channel_op alloc_unbound"] = new(HypercallNumber.EventChannelOp, 8, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, TestDomain.Self | (TestDomain.Self << 16));
            return [6, domain.Arguments];
        }),
        ["event_channel_op status"] = new(HypercallNumber.EventChannelOp, 16, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, TestDomain.Self | (1UL << 32));
            domain.Store(8, 0);
            return [5, domain.Arguments];
        }),
        ["physdev_op set_iopl"] = new(HypercallNumber.PhysdevOp, 4, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, 1);
            return [6, domain.Arguments];
        }),
        ["physdev_op set_iobitmap"] = new(HypercallNumber.PhysdevOp, 12, 1, Outcome.Fault, domain =>
        {
            domain.Store(0, domain.Arguments);
            domain.Store(8, 1024);
            return [7, domain.Arguments];
        }),
        ["multicall"] = new(HypercallNumber.Multicall, 128, 0, Outcome.Fault, domain =>
        {
            for (int i = 0; i < 16; i++)
            {
                domain.Store(i * 8, 0);
            }

            domain.Store(0, (ulong)HypercallNumber.UpdateVaMapping);
            domain.Store(16, TestDomain.Window(0));
            domain.Store(24, TestDomain.Entry(domain.NewPage(), TestDomain.ReadWrite));
            domain.Store(64, (ulong)HypercallNumber.XenVersion);
            return [domain.Arguments, 2];
        }),
    };

    public static IEnumerable<TheoryDataRow<string>> Names()
    {
        foreach (string name in s_scenarios.Keys)
        {
            yield return name;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AFaultAtAnyCopyIsReportedAndLeaksNothing(string name)
    {
        Scenario scenario = s_scenarios[name];
        for (int copy = 0; copy < MostCopies; copy++)
        {
            TestDomain domain = TestDomain.Create();
            ulong[] arguments = scenario.Prepare(domain);
            GuestMemory.CopiesUntilFault = copy;
            long result = domain.Call(scenario.Number, arguments);
            bool faulted = GuestMemory.CopiesUntilFault < 0;
            GuestMemory.CopiesUntilFault = -1;
            new FrameAudit().Check();
            if (!faulted)
            {
                Assert.True(result >= 0, $"without a fault {name} gives {result}");
                return;
            }

            bool expected = scenario.Result switch
            {
                Outcome.Fault => result == Fault,
                Outcome.Count => result is >= 0 and < 3,
                _ => result == Fault || (result == 0 && arguments[2] != 0 && copy != 0),
            };
            Assert.True(expected, $"a fault at copy {copy} of {name} gives {result}");
        }

        Assert.Fail($"{name} never ends");
    }

    /// <summary>The page after the arguments is not mapped; the structure is moved towards it byte by byte.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void AnArgumentThatLeavesMappedMemoryIsAFault(string name)
    {
        Scenario scenario = s_scenarios[name];
        for (int mapped = 0; scenario.Bytes != 0 && mapped <= scenario.Bytes; mapped++)
        {
            // The middle of a long one is all alike.
            mapped = mapped == 40 ? Math.Max(40, scenario.Bytes - 40) : mapped;
            TestDomain domain = TestDomain.Create(vcpus: 1);
            ulong[] arguments = scenario.Prepare(domain);
            Span<byte> page = domain.ArgumentBytes;
            byte[] bytes = page[..scenario.Bytes].ToArray();
            bytes.AsSpan(0, mapped).CopyTo(page[(4096 - mapped)..]);
            arguments[scenario.Pointer] = domain.Arguments + 4096 - (ulong)mapped;
            long result = domain.Call(scenario.Number, arguments);
            new FrameAudit().Check();
            Assert.True(mapped == scenario.Bytes ? result >= 0 : result == Fault, $"{name} with {mapped} of {scenario.Bytes} bytes mapped gives {result}");
        }
    }

    /// <summary>Arguments in the hypervisor's range, across its borders, beyond the canonical ones and at the end of the address space.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void AnArgumentOutsideTheGuestIsAFault(string name)
    {
        Scenario scenario = s_scenarios[name];
        ulong[] places =
        [
            GuestAddress.HypervisorStart, GuestAddress.HypervisorStart - 1, GuestAddress.HypervisorEnd - 1, 0xFFFF_8300_0000_0000, 0xFFFF_82D0_8020_0000,
            0x0000_8000_0000_0000, 0x0000_7FFF_FFFF_FFFF, 0x8000_0000_0000_0000, ulong.MaxValue, ulong.MaxValue - 7, 1,
        ];
        foreach (ulong place in scenario.Bytes == 0 ? [] : places)
        {
            TestDomain domain = TestDomain.Create();
            ulong[] arguments = scenario.Prepare(domain);
            arguments[scenario.Pointer] = place;
            Assert.Equal(Fault, domain.Call(scenario.Number, arguments));
            new FrameAudit().Check();
        }
    }
}
