// What xeno doctor says of machines that will do, and of those that will not.
using Xeno.Doctor;

namespace Xenolith.Toolstack.Tests.Commands;

public sealed class DoctorTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("doctor").FullName;

    public DoctorTests()
    {
        Write("proc/cpuinfo", "processor : 0\nflags : fpu pae apic fxsr sse2 syscall nx lm\n\nprocessor : 1\nflags : fpu\n");
        Write("proc/meminfo", "MemTotal:        4025772 kB\n");
        Write("boot/xenolith/xenolith", "");
        Write("boot/vmlinuz-6.1.0-1-amd64", "");
        Write("boot/config-6.1.0-1-amd64", "CONFIG_XEN=y\nCONFIG_XEN_PV_DOM0=y\n");
        Write("boot/grub/grub.cfg", "multiboot /boot/xenolith/xenolith placeholder\n");
        foreach (string program in (string[])["sbin/ip", "usr/sbin/nft", "usr/sbin/dnsmasq", "usr/bin/qemu-nbd", "sbin/modprobe"])
        {
            Write(program, "");
        }
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void AMachineThatWillDoHasNoProblemAndNoWarning() => Assert.All(Findings(), finding => Assert.Equal(Severity.Fine, finding.Severity));

    [Theory]
    [InlineData("proc/cpuinfo", "processor : 0\nflags : fpu pae apic fxsr sse2 syscall lm\n", "lacks nx")]
    [InlineData("proc/meminfo", "MemTotal:        500000 kB\n", "488 MiB")]
    [InlineData("sys/firmware/efi/systab", "", "UEFI")]
    [InlineData("boot/xenolith/xenolith", null, "install the package xenolith")]
    [InlineData("boot/config-6.1.0-1-amd64", "CONFIG_XEN=y\n", "no kernel in /boot")]
    [InlineData("boot/grub/grub.cfg", "", "run update-grub")]
    public void WhatIsWrongIsNamed(string path, string? content, string problem) => Assert.Contains(problem, Only(Severity.Problem, path, content), StringComparison.Ordinal);

    [Fact]
    public void AProgramThatOnlySomeNeedIsAWarning() => Assert.Contains("install the package nftables", Only(Severity.Warning, "usr/sbin/nft", null), StringComparison.Ordinal);

    [Fact]
    public void InDomain0ItIsTheDaemonThatMatters()
    {
        Write("sys/hypervisor/type", "xen\n");
        Write("sys/hypervisor/version/extra", ".7-xenolith\n");
        Write("proc/xen/capabilities", "control_d\n");
        foreach (string device in (string[])["privcmd", "evtchn", "gntdev"])
        {
            Write($"dev/xen/{device}", "");
        }

        Assert.Contains("xenod does not run", Assert.Single(Findings(), finding => finding.Severity == Severity.Problem).Text, StringComparison.Ordinal);
        Assert.Empty(Only("run/xenolith/xenod.sock", ""));
        Assert.Contains("Domain 0 only", Assert.Single(Only("proc/xen/capabilities", "")).Text, StringComparison.Ordinal);
    }

    private Finding[] Findings() => [.. new Examination(_root).Findings()];

    private string Only(Severity severity, string path, string? content)
    {
        Finding found = Assert.Single(Only(path, content));
        Assert.Equal(severity, found.Severity);
        return found.Text;
    }

    private Finding[] Only(string path, string? content)
    {
        if (content is null)
        {
            File.Delete(Path.Combine(_root, path));
        }
        else
        {
            Write(path, content);
        }

        return [.. Findings().Where(finding => finding.Severity != Severity.Fine)];
    }

    private void Write(string path, string content)
    {
        string file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
    }
}
