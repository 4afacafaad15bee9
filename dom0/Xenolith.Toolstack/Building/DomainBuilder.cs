// Builds PV domains.
using System.Text;
using Microsoft.Win32.SafeHandles;
using Xenolith.Abi;
using Xenolith.Loading;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Building;

/// <summary>
/// Makes a domain from a kernel, a RAM disk and limits: complete, paused, without devices. When anything fails, or the caller cancels,
/// the domain is destroyed again. Several domains may be built at once.
/// </summary>
/// <example><code>
/// using ControlInterface control = ControlInterface.Open();
/// DomainBuilder builder = new(control, new KernelCache());
/// BuiltDomain domain = await builder.BuildAsync(new BuildRequest { Name = "web", KernelPath = "/boot/vmlinuz", Memory = 256 });
/// control.Domains.Unpause(domain.Id);
/// </code></example>
public sealed class DomainBuilder
{
    private readonly ControlInterface _control;
    private readonly KernelCache _kernels;

    /// <summary>A builder that takes unpacked kernels from a cache.</summary>
    public DomainBuilder(ControlInterface control, KernelCache kernels)
    {
        ArgumentNullException.ThrowIfNull(control);
        ArgumentNullException.ThrowIfNull(kernels);
        _control = control;
        _kernels = kernels;
    }

    /// <summary>Builds a domain.</summary>
    /// <param name="request">What it is built from.</param>
    /// <param name="progress">Told of each step; called on the builder's thread.</param>
    /// <param name="cancellation">Ends the building; what exists by then is destroyed.</param>
    /// <exception cref="KernelException">The kernel's file cannot be used.</exception>
    /// <exception cref="DomainBuildException">Anything else has failed; the reason is in the message and the inner exception.</exception>
    /// <exception cref="OperationCanceledException">The caller has cancelled.</exception>
    public async Task<BuiltDomain> BuildAsync(BuildRequest request, IProgress<BuildProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        Validate(request);
        progress?.Report(new BuildProgress(BuildStep.Files, 0, 1));
        (UnpackedKernel kernel, _) = await _kernels.OpenAsync(request.KernelPath, cancellation).ConfigureAwait(false);
        using (kernel)
        {
            using SafeFileHandle? ramDisk = OpenRamDisk(request);
            long ramDiskBytes = ramDisk is null ? 0 : RandomAccess.GetLength(ramDisk);
            InitialLayout layout = MakeLayout(request, kernel, (ulong)ramDiskBytes);
            Construction construction = new(_control, request, kernel, ramDisk, ramDiskBytes, layout, progress, cancellation);
            return await Task.Run(construction.Run, cancellation).ConfigureAwait(false);
        }
    }

    private static void Validate(BuildRequest request)
    {
        string? problem = request switch
        {
            { Memory: < 1 } => "memory has to be at least 1 MiB.",
            { MaximumMemory: not 0 } when request.MaximumMemory < request.Memory => $"maxmem={request.MaximumMemory} is less than memory={request.Memory}.",
            { Settings.MaximumVcpus: < 1 } => "it needs at least one vcpu.",
            _ when Encoding.UTF8.GetByteCount(request.CommandLine) >= StartInfoLayout.CommandLineBytes
                => $"its command line is longer than {StartInfoLayout.CommandLineBytes - 1} bytes; shorten it.",
            _ when request.Affinity.Count > request.Settings.MaximumVcpus => "processors are named for more vcpus than it has.",
            _ => null,
        };
        if (problem is not null)
        {
            throw new DomainBuildException(request.Name, BuildStep.Files, problem);
        }
    }

    private static SafeFileHandle? OpenRamDisk(BuildRequest request)
    {
        if (request.RamDiskPath is null)
        {
            return null;
        }

        try
        {
            return File.OpenHandle(request.RamDiskPath);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new DomainBuildException(request.Name, BuildStep.Files, $"its RAM disk cannot be opened: {problem.Message}", problem);
        }
    }

    private static InitialLayout MakeLayout(BuildRequest request, UnpackedKernel kernel, ulong ramDiskBytes)
    {
        XenNotes notes = kernel.Notes;
        LoadError error = InitialLayout.TryMake(in notes, kernel.Start, kernel.End, request.Pages, ramDiskBytes, request.Rings, out InitialLayout layout);
        if (error != LoadError.None)
        {
            throw new KernelException(request.KernelPath, error);
        }

        // The stack and what lies behind it have to be the domain's; the last page stays for whatever the kernel does first.
        return layout.End <= request.Pages
            ? layout
            : throw new DomainBuildException(request.Name, BuildStep.Files, $"memory={request.Memory} is too little; its kernel, RAM disk and tables need {(layout.End >> 8) + 1} MiB.");
    }
}
