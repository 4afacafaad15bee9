// The disk of a guest that is run once.
using System.Globalization;
using Xenolith.Toolstack.Interop;

namespace Xeno.Running;

/// <summary>
/// A disk made of an image or a directory, whose changes go with it: of a directory a copy, of an image a layer above it, which itself is only read.
/// </summary>
internal sealed class ThrowAwayDisk : IAsyncDisposable
{
    private const long FreeBytes = 128L << 20;
    private const int BytesForInode = 4096;

    private static readonly byte[] s_qcow2 = [(byte)'Q', (byte)'F', (byte)'I', 0xFB];

    private readonly string? _directory;

    private ThrowAwayDisk(string specification, string? raw, string? directory)
    {
        Specification = specification;
        Raw = raw;
        _directory = directory;
    }

    /// <summary>As in an xl.cfg file.</summary>
    internal string Specification { get; }

    /// <summary>A raw file with the same contents; null when there is none.</summary>
    internal string? Raw { get; }

    /// <summary>Makes it.</summary>
    /// <param name="image">A raw or qcow2 image, a block device, or a directory.</param>
    /// <param name="isKept">The guest writes to the image itself.</param>
    /// <param name="scratch">Where what is thrown away is kept meanwhile.</param>
    /// <param name="cancellation">Ends it; nothing is left then.</param>
    /// <exception cref="IOException">It cannot be made; the message says what to do.</exception>
    internal static async Task<ThrowAwayDisk> MakeAsync(string image, bool isKept, string scratch, CancellationToken cancellation)
    {
        image = Path.GetFullPath(image);
        bool isDirectory = Directory.Exists(image);
        if (!isDirectory && !File.Exists(image))
        {
            throw new FileNotFoundException($"there is no image or directory {image}");
        }

        string format = isDirectory || !IsQcow2(image) ? "raw" : "qcow2";
        if (isKept)
        {
            return isDirectory
                ? throw new IOException($"{image} is a directory: what a guest changes in the disk made of it cannot be kept; make an image with 'mke2fs -t ext4 -d {image} FILE SIZE'")
                : new ThrowAwayDisk($"{image},{format},xvda,w", format == "raw" ? image : null, null);
        }

        string directory = Directory.CreateDirectory(Path.Combine(scratch, $"xeno-run-{Guid.NewGuid():N}"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        try
        {
            return isDirectory ? await CopyAsync(image, directory, cancellation) : await CoverAsync(image, format, directory, cancellation);
        }
        catch (Exception exception)
        {
            Directory.Delete(directory, recursive: true);
            throw exception is ProgramException ? new IOException(exception.Message, exception) : exception;
        }
    }

    public ValueTask DisposeAsync()
    {
        if (_directory is not null)
        {
            Directory.Delete(_directory, recursive: true);
        }

        return ValueTask.CompletedTask;
    }

    private static async Task<ThrowAwayDisk> CopyAsync(string tree, string directory, CancellationToken cancellation)
    {
        EnumerationOptions all = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None, IgnoreInaccessible = true };
        long bytes = new DirectoryInfo(tree).EnumerateFileSystemInfos("*", all).Sum(entry => BytesForInode + (entry is FileInfo { LinkTarget: null } file ? file.Length : 0));
        string disk = Path.Combine(directory, "disk.img");

        // Tables of the file system take some of it too; room that is not used takes none of Domain 0's disk.
        long kibibytes = ((bytes * 5 / 4) + FreeBytes) / 1024;
        await Programs.RunAsync("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk, string.Create(CultureInfo.InvariantCulture, $"{kibibytes}k")], null, cancellation);
        return new ThrowAwayDisk($"{disk},raw,xvda,w", disk, directory);
    }

    private static async Task<ThrowAwayDisk> CoverAsync(string image, string format, string directory, CancellationToken cancellation)
    {
        string layer = Path.Combine(directory, "layer.qcow2");
        try
        {
            await Programs.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", "-F", format, "-b", image, layer], null, cancellation);
        }
        catch (ProgramException exception)
        {
            throw new IOException($"{exception.Message} (the Debian package qemu-utils has it; with --keep the guest writes to the image itself, and it is not needed)", exception);
        }

        return new ThrowAwayDisk($"{layer},qcow2,xvda,w", format == "raw" ? image : null, directory);
    }

    private static bool IsQcow2(string image)
    {
        using FileStream file = File.OpenRead(image);
        byte[] magic = new byte[4];
        return file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length && magic.AsSpan().SequenceEqual(s_qcow2);
    }
}
