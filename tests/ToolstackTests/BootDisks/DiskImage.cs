// Disks with file systems, made by the tools that make real ones.
using System.Buffers.Binary;
using System.Diagnostics;

namespace Xenolith.Toolstack.Tests.BootDisks;

/// <summary>A directory of a test's own, and disks made of it.</summary>
internal sealed class DiskImage : IDisposable
{
    internal const string Menu = """
        set default="0"
        menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple' {
            insmod ext2
            linux	/boot/vmlinuz-6 root=/dev/xvda1 ro quiet
            initrd	/boot/initrd.img-6
        }
        """;

    private readonly string _directory = Directory.CreateTempSubdirectory("boot").FullName;

    internal string Tree => Path.Combine(_directory, "tree");

    internal string StorePath => Path.Combine(_directory, "store");

    internal void Write(string path, byte[] contents)
    {
        string file = Path.Combine(Tree, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, contents);
    }

    internal void Write(string path, string contents) => Write(path, System.Text.Encoding.UTF8.GetBytes(contents));

    internal void Link(string path, string target)
    {
        string file = Path.Combine(Tree, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.CreateSymbolicLink(file, target);
    }

    /// <summary>Bytes that differ from block to block.</summary>
    internal static byte[] Pattern(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A file system with all that is in the tree.</summary>
    internal string Format(params string[] options)
    {
        Directory.CreateDirectory(Tree);
        string image = Path.Combine(_directory, $"{Guid.NewGuid():N}.img");
        ProcessStartInfo start = new("/sbin/mke2fs", ["-q", "-F", "-d", Tree, .. options, image, "24M"]) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error);
        return image;
    }

    /// <summary>A disk with a table of partitions, the last of which holds a file system.</summary>
    internal string Partition(string system, bool isGpt, bool isLogical = false)
    {
        const int Start = 2048;
        const int Table = 1024;
        byte[] contents = File.ReadAllBytes(system);
        byte[] disk = new byte[(Start * 512) + contents.Length];
        contents.CopyTo(disk, Start * 512);
        (uint first, uint sectors) = (Start, (uint)contents.Length / 512);
        if (isGpt)
        {
            Entry(disk, 0, 0, 0xEE, 1, (uint)disk.Length / 512);
            "EFI PART"u8.CopyTo(disk.AsSpan(512));
            BinaryPrimitives.WriteUInt64LittleEndian(disk.AsSpan(512 + 72), 2);
            BinaryPrimitives.WriteUInt32LittleEndian(disk.AsSpan(512 + 80), 4);
            BinaryPrimitives.WriteUInt32LittleEndian(disk.AsSpan(512 + 84), 128);
            disk.AsSpan(1024 + 128, 16).Fill(7);
            BinaryPrimitives.WriteUInt64LittleEndian(disk.AsSpan(1024 + 128 + 32), first);
            BinaryPrimitives.WriteUInt64LittleEndian(disk.AsSpan(1024 + 128 + 40), first + sectors - 1);
        }
        else if (isLogical)
        {
            Entry(disk, 0, 1, 0x05, Table, (uint)(disk.Length / 512) - Table);
            Entry(disk, Table * 512, 0, 0x83, first - Table, sectors);
        }
        else
        {
            Entry(disk, 0, 0, 0x82, 64, 64);
            Entry(disk, 0, 2, 0x83, first, sectors);
        }

        string path = Path.Combine(_directory, $"{Guid.NewGuid():N}.img");
        File.WriteAllBytes(path, disk);
        return path;
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static void Entry(byte[] disk, int table, int index, byte kind, uint first, uint sectors)
    {
        int at = table + 446 + (index * 16);
        disk[at + 4] = kind;
        BinaryPrimitives.WriteUInt32LittleEndian(disk.AsSpan(at + 8), first);
        BinaryPrimitives.WriteUInt32LittleEndian(disk.AsSpan(at + 12), sectors);
        disk[table + 510] = 0x55;
        disk[table + 511] = 0xAA;
    }
}
