// Domains that the builder makes on the hypervisor itself, and what is left when it cannot.
using System.Text;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.Toolstack.Tests.Support;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;
using DomainSettings = Xenolith.Toolstack.Hypercalls.DomainSettings;

namespace Xenolith.Toolstack.Tests.Building;

[Collection(MachineCollection.Name)]
public sealed class DomainBuilderTests : IDisposable
{
    private const int Memory = 24;
    private const int Megabytes = 96;
    private const int CodeBytes = 0x800;

    // What KernelFile puts behind the code: three section headers and their names.
    private static readonly int NamesAndSections = (3 * 64) + "\0.shstrtab\0__xen_guest\0".Length;

    private readonly string _directory = Directory.CreateTempSubdirectory("builder").FullName;
    private readonly string _kernel;
    private readonly string _ramDisk;
    private readonly byte[] _elf = KernelFile.WithNotes();

    public DomainBuilderTests()
    {
        // Code that can be recognised in the domain's memory.
        for (int i = 0; i < CodeBytes; i++)
        {
            _elf[_elf.Length - NamesAndSections - CodeBytes + i] = (byte)(i * 7);
        }

        _kernel = Path.Combine(_directory, "vmlinuz");
        File.WriteAllBytes(_kernel, KernelFile.BzImage(Packer.Gzip(_elf), _elf.Length));
        _ramDisk = Path.Combine(_directory, "initrd");
        File.WriteAllBytes(_ramDisk, [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * 13))]);
    }

    public void Dispose() => Directory.Delete(_directory, true);

    [Fact]
    public async Task MakesADomainThatTheKernelFindsInOrder()
    {
        HostedHypervisor hypervisor = new(Megabytes);
        using ControlInterface control = new(hypervisor);
        List<BuildStep> steps = [];
        BuiltDomain domain = await Builder(control).BuildAsync(Request(), new Reporter(progress => steps.Add(progress.Step)), TestContext.Current.CancellationToken);

        Assert.Equal([BuildStep.Files, BuildStep.Creation, BuildStep.Memory, BuildStep.Kernel, BuildStep.RamDisk, BuildStep.Tables, BuildStep.Start], steps.Distinct());
        Assert.Equal(0, hypervisor.TakenSlots);
        DomainInformation info = control.Domains.Get(domain.Id);
        Assert.Equal((DomainStates.Paused, (ulong)Memory * 256, 2), (info.State, info.Pages, info.MaximumVcpus));
        Assert.Equal(domain.Uuid, info.Uuid);
        BuiltMemory memory = new(control, domain.Id);
        Assert.Equal((ulong)Memory * 256, memory.StartInfo(StartInfoLayout.PageCount));
        Assert.Equal(info.SharedInfoFrame << 12, memory.StartInfo(StartInfoLayout.SharedInfo));
        Assert.Equal((domain.XenstoreFrame, (ulong)domain.XenstorePort), (memory.StartInfo(StartInfoLayout.StoreMfn), memory.StartInfo(StartInfoLayout.StoreEventChannel)));
        Assert.Equal((domain.ConsoleFrame, (ulong)domain.ConsolePort), (memory.StartInfo(StartInfoLayout.ConsoleMfn), memory.StartInfo(StartInfoLayout.ConsoleEventChannel)));
        Assert.Equal(StartInfoLayout.ModuleStartIsPfn, (uint)memory.StartInfo(StartInfoLayout.Flags));
        Assert.Equal("root=/dev/xvda", Encoding.UTF8.GetString(memory.Read(memory.StartInfoAddress + StartInfoLayout.CommandLine, 14)));
        Assert.Equal(KernelFile.Entry, memory.Context(VcpuGuestContextLayout.Rip));

        // Kernel, zeros behind it, and the RAM disk under the page numbers of the list of frames.
        byte[] code = memory.Read(KernelFile.VirtualBase + 0x100_0000, 0x3000);
        Assert.Equal(_elf.AsSpan(_elf.Length - NamesAndSections - CodeBytes, CodeBytes), code.AsSpan(0, CodeBytes));
        Assert.All(code[CodeBytes..], value => Assert.Equal(0, value));
        ulong list = memory.StartInfo(StartInfoLayout.MfnList);
        byte[] disk = File.ReadAllBytes(_ramDisk);
        Assert.Equal((ulong)disk.Length, memory.StartInfo(StartInfoLayout.ModuleBytes));
        for (int at = 0; at < disk.Length; at += 4096)
        {
            ulong frame = memory.Word(list + ((memory.StartInfo(StartInfoLayout.ModuleStart) + (ulong)(at / 4096)) * 8));
            int count = Math.Min(4096, disk.Length - at);
            Assert.Equal(disk.AsSpan(at, count), PhysicalMemory.Bytes(new Mfn(frame))[..count]);
            Assert.False(PhysicalMemory.Bytes(new Mfn(frame))[count..].ContainsAnyExcept((byte)0));
        }

        // Every page once, each with its way back.
        HashSet<ulong> frames = [];
        for (ulong page = 0; page < (ulong)Memory * 256; page++)
        {
            ulong frame = memory.Word(list + (page * 8));
            Assert.True(frames.Add(frame));
            Assert.Equal(page, MachineToPhysical.Get(new Mfn(frame)));
        }

        Assert.Equal(1UL | (domain.ConsoleFrame << 32), memory.Grant(0));
        Assert.Equal(1UL | (domain.XenstoreFrame << 32), memory.Grant(1));
        new FrameAudit().Check();
        control.Domains.Unpause(domain.Id);
        Assert.Equal(DomainStates.None, control.Domains.Get(domain.Id).State & DomainStates.Paused);
        control.Domains.Destroy(domain.Id);
        Assert.Null(control.Domains.Find(domain.Id));
    }

    [Fact]
    public async Task LeavesNothingWhenAnyCallFails()
    {
        HostedHypervisor hypervisor = new(Megabytes);
        await BuildAndDestroy(hypervisor);
        ulong free = HostedHypervisor.FreeFrames;
        int failures = 0;
        for (int failAt = 1; ; failAt++)
        {
            FailingHypervisor failing = new(hypervisor, failAt, failAt % 2 == 0 ? XenError.NoMemory : XenError.Fault);
            using ControlInterface control = new(failing);
            try
            {
                BuiltDomain domain = await Builder(control).BuildAsync(Request(), null, TestContext.Current.CancellationToken);
                Assert.False(failing.HasFailed, $"the builder does not notice that request {failAt} has failed");
                using ControlInterface sound = new(hypervisor);
                sound.Domains.Destroy(domain.Id);
                break;
            }
            catch (DomainBuildException failure)
            {
                failures++;
                Assert.Null(failure.Remainder);
                Assert.IsAssignableFrom<XenException>(failure.InnerException);
            }

            using ControlInterface observer = new(hypervisor);
            Assert.Equal([(ushort)0], observer.Domains.List().Select(domain => domain.Id));
            Assert.True(free == HostedHypervisor.FreeFrames, $"request {failAt}: {free} frames were free, now {HostedHypervisor.FreeFrames} are");
            Assert.True(hypervisor.TakenSlots == 0, $"request {failAt}: {hypervisor.TakenSlots} pages stay mapped");
        }

        Assert.True(failures >= 30, $"only {failures} requests");
        new FrameAudit().Check();
    }

    [Fact]
    public async Task SaysWhichDomainIsLeftWhenItCannotEvenBeDestroyed()
    {
        HostedHypervisor hypervisor = new(Megabytes);
        using ControlInterface control = new(hypervisor);
        using ControlInterface brokenControl = new(new BrokenHypervisor(hypervisor));
        DomainBuildException failure = await Assert.ThrowsAsync<DomainBuildException>(() => Builder(brokenControl).BuildAsync(Request(), null, TestContext.Current.CancellationToken));
        Assert.Equal(BuildStep.Memory, failure.Step);
        Assert.NotNull(failure.Remainder);
        control.Domains.Destroy(failure.Remainder.Value);
        Assert.Single(control.Domains.List());
    }

    [Fact]
    public async Task LeavesNothingWhenItIsCancelledAtAnyStep()
    {
        HostedHypervisor hypervisor = new(Megabytes);
        await BuildAndDestroy(hypervisor);
        ulong free = HostedHypervisor.FreeFrames;
        foreach (BuildStep step in Enum.GetValues<BuildStep>())
        {
            using ControlInterface control = new(hypervisor);
            using CancellationTokenSource source = new();
            Reporter reporter = new(progress =>
            {
                if (progress.Step == step)
                {
                    source.Cancel();
                }
            });
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Builder(control).BuildAsync(Request(), reporter, source.Token));
            Assert.Single(control.Domains.List());
            Assert.Equal(free, HostedHypervisor.FreeFrames);
            Assert.Equal(0, hypervisor.TakenSlots);
        }
    }

    [Fact]
    public async Task SaysHowMuchMemoryIsNeeded()
    {
        HostedHypervisor hypervisor = new(Megabytes);
        using ControlInterface control = new(hypervisor);
        DomainBuildException failure = await Assert.ThrowsAsync<DomainBuildException>(
            () => Builder(control).BuildAsync(Request() with { Memory = 17 }, null, TestContext.Current.CancellationToken));
        Assert.Contains("need 21 MiB", failure.Message, StringComparison.Ordinal);
        failure = await Assert.ThrowsAsync<DomainBuildException>(() => Builder(control).BuildAsync(Request() with { Memory = 4000 }, null, TestContext.Current.CancellationToken));
        Assert.Contains("MiB free", failure.Message, StringComparison.Ordinal);
        Assert.IsType<NotEnoughMemoryException>(failure.InnerException);
        Assert.Single(control.Domains.List());
    }

    [Fact]
    public async Task GivesADomainWhatItsDescriptionSays()
    {
        HostedHypervisor hypervisor = new(Megabytes);
        using ControlInterface control = new(hypervisor);
        BuildRequest request = Request() with { Share = new SchedulerShare(512, 50), Affinity = [[0]], MaximumMemory = 64 };
        BuiltDomain domain = await Builder(control).BuildAsync(request, null, TestContext.Current.CancellationToken);
        Assert.Equal(new SchedulerShare(512, 50), control.Scheduling.GetShare(domain.Id));
        Assert.Equal([0], control.Vcpus.GetAffinity(domain.Id, 0));
        Assert.Equal(((ulong)Memory * 256) + 256, control.Domains.Get(domain.Id).MaximumPages);
    }

    /// <summary>Afterwards the hypervisor's own tables have the size that one more domain needs.</summary>
    private async Task BuildAndDestroy(HostedHypervisor hypervisor)
    {
        using ControlInterface control = new(hypervisor);
        BuiltDomain domain = await Builder(control).BuildAsync(Request(), null, TestContext.Current.CancellationToken);
        control.Domains.Destroy(domain.Id);
        for (int i = 0; i < 200; i++)
        {
            control.Domains.Destroy(control.Domains.Create(new DomainSettings()));
        }
    }

    private DomainBuilder Builder(ControlInterface control) => new(control, new KernelCache(Path.Combine(_directory, "cache")));

    private BuildRequest Request() => new()
    {
        Name = "web",
        KernelPath = _kernel,
        RamDiskPath = _ramDisk,
        CommandLine = "root=/dev/xvda",
        Memory = Memory,
        Settings = new DomainSettings { MaximumVcpus = 2 },
    };

    /// <summary>Reports at once, on the thread that builds.</summary>
    private sealed class Reporter(Action<BuildProgress> action) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => action(value);
    }

    /// <summary>Neither gives memory nor destroys.</summary>
    private sealed class BrokenHypervisor(IHypervisor inner) : IHypervisor
    {
        public HypercallBuffer Rent(int bytes) => inner.Rent(bytes);

        public long Call(HypercallNumber number, ulong argument0 = 0, ulong argument1 = 0, ulong argument2 = 0, ulong argument3 = 0, ulong argument4 = 0)
        {
            bool isRefused = number == HypercallNumber.Multicall || (number == HypercallNumber.Domctl && IsDestroy(argument0));
            return isRefused ? -(long)XenError.Busy : inner.Call(number, argument0, argument1, argument2, argument3, argument4);
        }

        public ForeignMapping Map(ushort domain, ReadOnlySpan<ulong> frames, bool isWritable) => inner.Map(domain, frames, isWritable);

        public ForeignMapping MapResource(ushort domain, ushort type, uint id, uint first, int count) => inner.MapResource(domain, type, id, first, count);

        public void Dispose()
        {
        }

        private static bool IsDestroy(ulong address)
            => GuestMemory.TryRead(new GuestAddress(address), out DomctlHeader header) && header.Command == DomctlCommand.DestroyDomain;
    }
}
