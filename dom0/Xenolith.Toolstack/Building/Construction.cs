// One domain on its way into being.
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;
using Xenolith.Loading;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Building;

/// <summary>The steps of <see cref="DomainBuilder"/>, and the way back.</summary>
internal sealed class Construction(
    ControlInterface control,
    BuildRequest request,
    UnpackedKernel kernel,
    SafeFileHandle? ramDisk,
    long ramDiskBytes,
    InitialLayout layout,
    IProgress<BuildProgress>? progress,
    CancellationToken cancellation)
{
    private const int PageBytes = ForeignMapping.PageBytes;

    // 16 MiB: large enough that mapping costs little beside copying, small enough to be cancelled in between.
    private const ulong WindowPages = 4096;

    // A domain may have 1 MiB more than it is built with, as from other toolstacks.
    private const ulong SlackKibibytes = 1024;
    private const int AddressBits = 64;

    private InitialLayout _layout = layout;
    private BuildStep _step = BuildStep.Creation;
    private ushort _id;

    /// <summary>Builds the domain, or leaves nothing of it.</summary>
    internal BuiltDomain Run()
    {
        try
        {
            RequireFreeMemory();
            Enter(BuildStep.Creation);
            _id = control.Domains.Create(request.Settings);
        }
        catch (XenException problem)
        {
            throw new DomainBuildException(request.Name, _step, problem.Message, problem);
        }

        try
        {
            return Build();
        }
        catch (Exception problem)
        {
            ushort? remainder = TryDestroy() ? null : _id;
            if (problem is OperationCanceledException && remainder is null)
            {
                throw;
            }

            throw new DomainBuildException(request.Name, _step, problem.Message, problem, remainder);
        }
    }

    private BuiltDomain Build()
    {
        Configure();
        uint xenstorePort = request.XenstoreDomain is ushort server ? control.Domains.AllocatePort(_id, server) : 0;
        uint consolePort = control.Domains.AllocatePort(_id, request.ConsoleDomain);
        MemoryImage memory = new(control, _id, request.Pages);
        Enter(BuildStep.Memory, (long)request.Pages);
        memory.Populate(done => Report(done, (long)request.Pages), cancellation);
        ulong xenstoreFrame = request.XenstoreDomain is null ? 0 : memory.Frames[(int)_layout.Xenstore];
        BuiltDomain domain = new(_id, request.Settings.Uuid, xenstoreFrame, xenstorePort, memory.Frames[(int)_layout.Console], consolePort);
        CopyKernel(memory);
        CopyRamDisk(memory);
        Enter(BuildStep.Tables);
        ulong sharedInfo = control.Domains.Get(_id).SharedInfoFrame;
        WriteTables(memory, sharedInfo, domain);
        Enter(BuildStep.Start);
        Start(memory, sharedInfo, domain);
        cancellation.ThrowIfCancellationRequested();
        return domain;
    }

    private void Configure()
    {
        control.Domains.MakeVcpus(_id, request.Settings.MaximumVcpus);
        control.Domains.SetMaximumMemory(_id, request.Kibibytes + SlackKibibytes);
        control.Domains.SetTscMode(_id, request.TscMode);
        control.Domains.SetAddressSize(_id, AddressBits);
        if (request.CpuPolicy is not null)
        {
            control.Policies.Set(_id, request.CpuPolicy);
        }

        if (request.Share is not null)
        {
            control.Scheduling.SetShare(_id, request.Share.Value);
        }

        for (int vcpu = 0; vcpu < request.Affinity.Count; vcpu++)
        {
            if (request.Affinity[vcpu].Count != 0)
            {
                control.Vcpus.SetAffinity(_id, vcpu, request.Affinity[vcpu]);
            }
        }

        if (request.MaximumBytes > request.Kibibytes << 10)
        {
            control.Memory.SetMemoryMap(_id, request.MaximumBytes);
        }
    }

    private void CopyKernel(MemoryImage memory)
    {
        long total = kernel.Segments.Sum(segment => (long)segment.MemoryBytes);
        long done = 0;
        Enter(BuildStep.Kernel, total);
        for (ulong first = _layout.KernelStart; first < _layout.KernelEnd; first += WindowPages)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = (int)Math.Min(WindowPages, _layout.KernelEnd - first);
            using ForeignMapping window = memory.Map(first, count);
            ulong start = first * PageBytes;
            ulong end = start + ((ulong)count * PageBytes);
            foreach (KernelSegment segment in kernel.Segments)
            {
                done += CopySegment(window, segment, start, end);
            }

            Report(done, total);
        }
    }

    /// <summary>Copies what lies between two addresses; gives the number of its bytes.</summary>
    private long CopySegment(ForeignMapping window, in KernelSegment segment, ulong start, ulong end)
    {
        ulong from = Math.Max(start, segment.Address);
        ulong fileEnd = Math.Min(end, segment.Address + segment.FileBytes);
        ulong memoryEnd = Math.Min(end, segment.Address + segment.MemoryBytes);
        for (ulong at = from; at < fileEnd;)
        {
            Span<byte> piece = window.Piece((long)(at - start));
            piece = piece[..(int)Math.Min((ulong)piece.Length, fileEnd - at)];
            kernel.Read(piece, segment.FileOffset + (long)(at - segment.Address));
            at += (ulong)piece.Length;
        }

        ulong zero = Math.Max(from, fileEnd);
        if (memoryEnd > zero)
        {
            window.Clear((long)(zero - start), (long)(memoryEnd - zero));
        }

        return memoryEnd > from ? (long)(memoryEnd - from) : 0;
    }

    private void CopyRamDisk(MemoryImage memory)
    {
        if (ramDisk is null)
        {
            return;
        }

        Enter(BuildStep.RamDisk, ramDiskBytes);
        long done = 0;
        for (ulong first = 0; first < _layout.RamDiskPages; first += WindowPages)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = (int)Math.Min(WindowPages, _layout.RamDiskPages - first);
            using ForeignMapping window = memory.Map(_layout.RamDisk + first, count);
            long bytes = Math.Min((long)count * PageBytes, ramDiskBytes - done);
            for (long at = 0; at < bytes;)
            {
                Span<byte> piece = window.Piece(at);
                piece = piece[..(int)Math.Min(piece.Length, bytes - at)];
                FileReading.ReadAll(ramDisk, piece, done + at);
                at += piece.Length;
            }

            window.Clear(bytes, ((long)count * PageBytes) - bytes);
            done += bytes;
            Report(done, ramDiskBytes);
        }
    }

    /// <summary>start_info, empty rings, page tables and the list of frames; afterwards nothing of the domain is mapped.</summary>
    private void WriteTables(MemoryImage memory, ulong sharedInfo, BuiltDomain domain)
    {
        ulong first = _layout.IsP2mApart ? _layout.StartInfo : _layout.P2m;
        ulong tablesEnd = _layout.PageTables + _layout.PageTableCount;
        int apart = _layout.IsP2mApart ? (int)(_layout.P2mPages + _layout.P2mTables) : 0;
        using MappedPages pages = memory.Map((first, (int)(tablesEnd - first)), (_layout.P2m, apart));
        pages.Clear();
        StartOfDay.WriteStartInfo(pages.Page(_layout.StartInfo), in _layout, memory.Frames, sharedInfo, request.CommandLine, ramDiskBytes, domain);
        PageTableWriter tables = new(memory.Frames, pages, _layout.PageTables);
        tables.Map(_layout.Base, 0, _layout.RegionPages, _layout.PageTables, tablesEnd);
        if (_layout.IsP2mApart)
        {
            tables.TakeTablesFrom(_layout.P2m + _layout.P2mPages);
            tables.Map(_layout.P2mAddress, _layout.P2m, _layout.P2mPages, 0, 0);
        }

        ReadOnlySpan<ulong> frames = memory.Frames;
        for (ulong page = 0; page < _layout.P2mPages; page++)
        {
            ReadOnlySpan<ulong> rest = frames[(int)(page * (PageBytes / sizeof(ulong)))..];
            Span<ulong> words = pages.Words(_layout.P2m + page);
            rest[..Math.Min(rest.Length, words.Length)].CopyTo(words);
        }
    }

    private void Start(MemoryImage memory, ulong sharedInfo, BuiltDomain domain)
    {
        XenNotes notes = kernel.Notes;
        if (notes.HasHypercallPage)
        {
            control.Domains.FillHypercallPage(_id, memory.Frames[(int)((notes.HypercallPage - _layout.Base) >> 12)]);
        }

        ulong root = memory.Frames[(int)_layout.PageTables];
        control.Domains.PinRootTable(_id, root);
        using (ForeignMapping shared = control.Hypervisor.Map(_id, [sharedInfo], true))
        {
            StartOfDay.WriteSharedInfo(shared.Page(0));
        }

        control.Vcpus.SetContext(_id, 0, StartOfDay.MakeContext(in _layout, notes.Entry, root));
        using ForeignMapping grants = control.Hypervisor.MapResource(_id, AcquireResource.GrantTable, 0, 0, 1);
        StartOfDay.WriteGrants(grants.Words(0), domain, request.ConsoleDomain, request.XenstoreDomain);
    }

    private void RequireFreeMemory()
    {
        // Others may take it meanwhile; this is for the sentence, before everything is taken that is left.
        ulong free = control.Machine.Get().FreePages;
        if (free < request.Pages)
        {
            throw XenException.For("physinfo", XenError.NoMemory, null, $"it is to have {request.Memory} MiB, and the machine has only {free >> 8} MiB free");
        }
    }

    private bool TryDestroy()
    {
        try
        {
            control.Domains.Destroy(_id);
            return true;
        }
        catch (XenException)
        {
            return false;
        }
    }

    private void Enter(BuildStep step, long total = 1)
    {
        _step = step;
        cancellation.ThrowIfCancellationRequested();
        Report(0, total);
    }

    private void Report(long done, long total) => progress?.Report(new BuildProgress(_step, done, total));
}
