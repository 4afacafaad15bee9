// Copies of guests' kernels and RAM disks.
using System.Security.Cryptography;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>
/// Keeps files under the digest of their contents, so that guests with the same kernel share one copy, which is unpacked once. What has not been used for
/// longest makes room for what is new.
/// </summary>
public sealed class BootFileStore
{
    /// <summary>Where the daemon keeps them.</summary>
    public const string DefaultDirectory = "/var/cache/xenolith/boot";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const string UsedSuffix = ".used";
    private const int Fewest = 16;

    private readonly string _directory;
    private readonly long _maximumBytes;

    /// <summary>A store in a directory, which is made if it does not exist.</summary>
    /// <param name="directory">Nobody else may read or write there: RAM disks may hold secrets.</param>
    /// <param name="maximumBytes">What they may take together; some are kept in any case.</param>
    public BootFileStore(string directory = DefaultDirectory, long maximumBytes = 1L << 30)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        _directory = directory;
        _maximumBytes = maximumBytes;
    }

    /// <summary>Keeps what is written; gives the file's path.</summary>
    internal string Keep(Action<Stream> write)
    {
        Directory.CreateDirectory(_directory, OwnerOnly);
        string part = Path.Combine(_directory, $"{Guid.NewGuid():N}.part");
        try
        {
            string digest;
            using (FileStream file = new(part, FileMode.CreateNew, FileAccess.ReadWrite))
            {
                using BufferedStream buffered = new(file, 1 << 20);
                write(buffered);
                buffered.Flush();
                file.Position = 0;
                digest = Convert.ToHexStringLower(SHA256.HashData(file));
            }

            string path = Path.Combine(_directory, digest);
            bool isNew = !File.Exists(path);

            // When it was used last stands beside it: its own times tell users that it is the same.
            File.WriteAllBytes(path + UsedSuffix, []);
            if (isNew)
            {
                File.Move(part, path, overwrite: true);
                Trim();
            }

            return path;
        }
        finally
        {
            File.Delete(part);
        }
    }

    private void Trim()
    {
        long total = 0;
        int count = 0;
        foreach (FileInfo mark in new DirectoryInfo(_directory).GetFiles("*" + UsedSuffix).OrderByDescending(mark => mark.LastWriteTimeUtc))
        {
            FileInfo file = new(mark.FullName[..^UsedSuffix.Length]);
            total += file.Exists ? file.Length : 0;
            if (++count > Fewest && total > _maximumBytes)
            {
                file.Delete();
                mark.Delete();
            }
        }
    }
}
