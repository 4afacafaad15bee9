// Kernels that have been unpacked before.
using Microsoft.Win32.SafeHandles;
using Xenolith.Loading;
using Xenolith.Toolstack.Interop;

namespace Xenolith.Toolstack.Building;

/// <summary>
/// Unpacking a distribution's kernel takes longer than all the rest of a domain's creation, so each state of a kernel's file is unpacked
/// once, into a directory of this cache's own. Files that have not been used for longest make room for new ones. Several processes may
/// share a directory.
/// </summary>
public sealed class KernelCache
{
    /// <summary>Where the daemon keeps unpacked kernels.</summary>
    public const string DefaultDirectory = "/var/cache/xenolith/kernels";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const string Suffix = ".elf";

    private readonly string _directory;
    private readonly long _maximumBytes;
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>A cache in a directory, which is made if it does not exist.</summary>
    /// <param name="directory">Nobody else may write there.</param>
    /// <param name="maximumBytes">What the unpacked kernels may take together.</param>
    public KernelCache(string directory = DefaultDirectory, long maximumBytes = 512L << 20)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        _directory = directory;
        _maximumBytes = maximumBytes;
    }

    /// <summary>Unpacks a kernel if it is not there yet, so that the first domain of it starts as quickly as the others.</summary>
    /// <returns>Whether it had to be unpacked.</returns>
    /// <exception cref="KernelException">It is no kernel for a PV domain, or cannot be read.</exception>
    public async Task<bool> PrepareAsync(string path, CancellationToken cancellation = default)
    {
        (UnpackedKernel kernel, bool wasUnpacked) = await OpenAsync(path, cancellation).ConfigureAwait(false);
        kernel.Dispose();
        return wasUnpacked;
    }

    /// <summary>Opens the unpacked kernel of a file.</summary>
    internal async Task<(UnpackedKernel Kernel, bool WasUnpacked)> OpenAsync(string path, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);

        // Once begun, the unpacking goes on to its end: the next domain of this kernel will want it.
        Task<(UnpackedKernel, bool)> opening = Task.Run(
            () =>
            {
                try
                {
                    return Open(path);
                }
                finally
                {
                    _turn.Release();
                }
            },
            CancellationToken.None);
        try
        {
            return await opening.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _ = opening.ContinueWith(static done => done.Result.Item1.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            throw;
        }
    }

    private (UnpackedKernel, bool) Open(string path)
    {
        try
        {
            using SafeFileHandle source = File.OpenHandle(path);
            string target = Path.Combine(_directory, FileIdentity.Of(source) + Suffix);
            bool exists = File.Exists(target);
            if (!exists)
            {
                Directory.CreateDirectory(_directory, OwnerOnly);
                Unpack(path, source, target);
                Trim(target);
            }

            UnpackedKernel kernel = UnpackedKernel.Open(target, path);
            if (exists)
            {
                File.SetLastWriteTimeUtc(target, DateTime.UtcNow);
            }

            return (kernel, !exists);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new KernelException(path, problem.Message, problem);
        }
    }

    private static void Unpack(string path, SafeFileHandle source, string target)
    {
        byte[] file = new byte[Math.Min(RandomAccess.GetLength(source), Array.MaxLength)];
        FileReading.ReadAll(source, file, 0);
        LoadError error = KernelUnpacker.TryInspect(file, out ReadOnlySpan<byte> payload, out uint unpackedBytes);
        if (error != LoadError.None)
        {
            throw new KernelException(path, error);
        }

        string part = $"{target}.{Guid.NewGuid():N}.part";
        try
        {
            using (SafeFileHandle output = File.OpenHandle(part, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite))
            {
                RandomAccess.SetLength(output, unpackedBytes == 0 ? file.Length : unpackedBytes);
                using (MappedFile mapped = MappedFile.Open(output, true))
                {
                    if (unpackedBytes == 0)
                    {
                        file.CopyTo(mapped.Contents);
                    }
                    else
                    {
                        error = KernelUnpacker.Unpack(payload, mapped.Contents);
                    }
                }

                if (error != LoadError.None)
                {
                    throw new KernelException(path, error);
                }

                // After a power failure the cache has the whole file or none.
                RandomAccess.FlushToDisk(output);
            }

            // What is no PV kernel does not get into the cache.
            UnpackedKernel.Open(part, path).Dispose();
            File.Move(part, target, overwrite: true);
        }
        finally
        {
            File.Delete(part);
        }
    }

    private void Trim(string newest)
    {
        // Lengths are read before anything is deleted.
        List<(FileInfo File, long Bytes)> files = [.. new DirectoryInfo(_directory).GetFiles("*" + Suffix).Select(file => (file, file.Length))];
        long total = files.Sum(entry => entry.Bytes);
        foreach ((FileInfo file, long bytes) in files.Where(entry => entry.File.FullName != Path.GetFullPath(newest)).OrderBy(entry => entry.File.LastWriteTimeUtc))
        {
            if (total <= _maximumBytes)
            {
                return;
            }

            // A domain that is being built from it keeps it open.
            file.Delete();
            total -= bytes;
        }
    }
}
