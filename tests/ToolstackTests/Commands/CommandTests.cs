// What xeno's commands make of what they are told.
using Xeno.Commands;
using Xeno.Running;
using Xenolith.Toolstack.BootDisks;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Tests.BootDisks;

namespace Xenolith.Toolstack.Tests.Commands;

public sealed class CommandTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("commands").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("-")]
    [InlineData("3", 3)]
    [InlineData("0-3", 0, 1, 2, 3)]
    [InlineData("0-1,4,6-7", 0, 1, 4, 6, 7)]
    public void ProcessorsAreToldInRanges(string text, params int[] numbers) => Assert.Equal(text, VcpuListCommand.Ranges(numbers));

    [Fact]
    public void UseOfProcessorsIsMeasuredBetweenTwoLooks()
    {
        (Guid a, Guid b) = (Guid.NewGuid(), Guid.NewGuid());
        DomainView View(Guid uuid, int id, long seconds) => new(uuid, id, $"d{id}", DomainState.Running, 0, 0, 1, seconds * 1_000_000_000);

        // The second one was started again: its number and its time are new.
        IReadOnlyList<(DomainView Domain, double Percent)> shares = TopCommand.Shares([View(a, 1, 10), View(b, 2, 50)], [View(a, 1, 11), View(b, 3, 2)], TimeSpan.FromSeconds(2));
        Assert.Equal([(3, 100.0), (1, 50.0)], shares.Select(share => (share.Domain.Id!.Value, share.Percent)));
    }

    [Theory]
    [InlineData("/srv/web.img", "web-3")]
    [InlineData("/srv/trees/root/", "root")]
    [InlineData("/srv/2024.img", "run-2024")]
    [InlineData("/srv/a b(c).qcow2", "abc")]
    public void AGuestThatIsRunOnceIsNamedAfterItsImage(string image, string name) => Assert.Equal(name, RunCommand.NameFor(image, new HashSet<string> { "web", "web-2" }));

    [Fact]
    public async Task ADirectoryIsRunAsACopy()
    {
        string tree = Path.Combine(_directory, "tree");
        Directory.CreateDirectory(Path.Combine(tree, "boot"));
        byte[] kernel = DiskImage.Pattern(3_000_000, 5);
        await File.WriteAllBytesAsync(Path.Combine(tree, "boot", "vmlinuz-6"), kernel, Cancellation);
        File.CreateSymbolicLink(Path.Combine(tree, "vmlinuz"), "boot/vmlinuz-6");
        await using (ThrowAwayDisk disk = await ThrowAwayDisk.MakeAsync(tree, isKept: false, _directory, Cancellation))
        {
            Assert.Equal($"{disk.Raw},raw,xvda,w", disk.Specification);
            BootFiles files = await BootDisk.ExtractAsync(disk.Raw!, new BootFileStore(Path.Combine(_directory, "store")), Cancellation);
            Assert.Equal(kernel, await File.ReadAllBytesAsync(files.Kernel, Cancellation));
        }

        Assert.Empty(Directory.GetDirectories(_directory, "xeno-run-*"));
        IOException refused = await Assert.ThrowsAsync<IOException>(() => ThrowAwayDisk.MakeAsync(tree, isKept: true, _directory, Cancellation));
        Assert.Contains("cannot be kept", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public async Task AnImageIsOnlyWrittenToWhenItIsToBeKept(string format)
    {
        string image = Path.Combine(_directory, "web.img");
        byte[] contents = new byte[65536];
        if (format == "qcow2")
        {
            contents[0] = (byte)'Q';
            contents[1] = (byte)'F';
            contents[2] = (byte)'I';
            contents[3] = 0xFB;
        }

        await File.WriteAllBytesAsync(image, contents, Cancellation);
        await using ThrowAwayDisk disk = await ThrowAwayDisk.MakeAsync(image, isKept: true, _directory, Cancellation);
        Assert.Equal($"{image},{format},xvda,w", disk.Specification);
        Assert.Equal(format == "raw" ? image : null, disk.Raw);
    }

    [Fact]
    public async Task WhatIsNotThereIsNamed()
        => Assert.Contains("/nowhere.img", (await Assert.ThrowsAsync<FileNotFoundException>(() => ThrowAwayDisk.MakeAsync("/nowhere.img", isKept: false, _directory, Cancellation))).Message);
}
