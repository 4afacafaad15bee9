// What a user can get wrong: each ends in one clear sentence and a halted machine.
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using Xenolith.UnitTests.Support;

namespace Xenolith.MetalTests;

public sealed class BadInputTests
{
    [Fact]
    public void NoModule() => Says("there is no boot module; name a Linux kernel", "--kernel", "none");

    [Fact]
    public void AModuleThatIsNoKernel()
        => Says("it is neither a Linux bzImage nor an ELF file", "--kernel", Repository.WriteFile("text", new byte[5000]), "--initrd", "none");

    [Fact]
    public void ATruncatedKernel()
    {
        byte[] kernel = File.ReadAllBytes(Repository.Path("out/dom0/vmlinuz-amd64"));
        Says("it is truncated; copy it again", "--kernel", Repository.WriteFile("truncated", kernel[..(kernel.Length / 2)]), "--initrd", "none");
    }

    [Fact]
    public void ACorruptedKernel()
    {
        byte[] kernel = File.ReadAllBytes(Repository.Path("out/dom0/vmlinuz-amd64"));
        kernel[kernel.Length / 2] ^= 0x10;
        Says("its packed part is corrupt", "--kernel", Repository.WriteFile("corrupted", kernel), "--initrd", "none");
    }

    [Fact]
    public void AKernelWithoutXenNotes()
        => Says("it has no Xen ELF notes", "--kernel", Repository.WriteFile("no-notes", KernelFile.WithoutNotes()), "--initrd", "none");

    [Fact]
    public void A32BitKernel()
    {
        byte[] kernel = KernelFile.WithNotes();
        kernel[4] = 1;
        Says("it is not a 64-bit x86 kernel", "--kernel", Repository.WriteFile("32-bit", kernel), "--initrd", "none");
    }

    [Fact]
    public void TooLittleMemoryForTheKernel()
        => Says("too little memory for Domain 0; raise dom0_mem", "--options", "console=com1 dom0_mem=64M noreboot");

    [Fact]
    public void TooLittleMemoryToUnpack() => Says("there is too little memory to unpack it", "--memory", "64");

    [Fact]
    public void TooLittleMemoryForTheRamDisk()
    {
        string disk = Repository.WriteFile("large", new byte[300 << 20]);
        Says("too little memory for Domain 0; raise dom0_mem", "--memory", "512", "--initrd", disk, "--options", "console=com1 dom0_mem=200M noreboot");
        File.Delete(disk);
    }

    [Fact]
    public void TooLittleMemoryForTheHypervisor() => Says("too little memory", "--memory", "4", "--kernel", "none");

    [Theory]
    [InlineData("console=teletype")]
    [InlineData("com1=fast")]
    [InlineData("com2=115200,7e2")]
    [InlineData("loglvl=shouting")]
    [InlineData("guest_loglvl=9")]
    [InlineData("dom0_mem=lots")]
    [InlineData("dom0_max_vcpus=0")]
    [InlineData("noreboot=perhaps")]
    [InlineData("maxcpus=none")]
    [InlineData("sched=mine")]
    [InlineData("smap=maybe")]
    [InlineData("smep=2")]
    public void AMalformedOption(string option)
        => Says($"the option '{option}' has a value that cannot be used: it takes ", "--options", $"console=com1 {option}", "--kernel", "none");

    [Fact]
    public void AnUnknownOptionIsIgnored()
    {
        using BootedMachine machine = new("--options", "console=com1 frobnicate=3 noreboot", "--append", "console=hvc0 quiet");
        machine.WaitFor("[boot] unknown option ignored: frobnicate");
        machine.WaitFor("dom0: userland after");
    }

    [Fact]
    public void OnlyARamDiskOfAnotherDomain()
        => Says("no boot module is the kernel of a domain", "--kernel", "none", "--module", $"{Repository.WriteFile("disk", new byte[100])} ramdisk-of=web");

    [Fact]
    public void AModuleTooMany()
        => Says("[boot] module 3 is not used", "--kernel", Repository.WriteFile("text", new byte[5000]), "--initrd", Repository.WriteFile("disk", new byte[100]), "--module", Repository.WriteFile("more", new byte[100]));

    [Fact]
    public void AProcessorWithoutLongMode() => Says("this processor has no 64-bit mode", "--cpu", "qemu32", "--kernel", "none");

    [Fact]
    public void AProcessorWithoutExecuteDisable() => Says("this processor has no execute-disable bit", "--cpu", "max,-nx", "--kernel", "none");

    [Fact]
    public void FirmwareWithoutAcpiTables()
        => Says("the firmware has no ACPI tables", "--kernel", "none", "--qemu", "-machine acpi=off");

    [Theory]
    [InlineData("--kernel", "/no/such/file", "there is no file '/no/such/file'")]
    [InlineData("--memory", "lots", "--memory takes a whole number above 0")]
    [InlineData("--machine", "toaster", "--machine is pc or q35")]
    [InlineData("--frobnicate", "1", "there is no option '--frobnicate'")]
    [InlineData("--disk", "/no/such/disk", "there is no disk image '/no/such/disk'")]
    [InlineData("--domain", "web memory=much", "--domain web: memory= takes a whole number above 0, not 'much'")]
    [InlineData("--domain", "web colour=red", "--domain web: there is no option 'colour=red'")]
    [InlineData("--flavour", "../x", "--flavour is amd64, rt-amd64 or cloud-amd64, not '../x'")]
    [InlineData("--hypervisor", "/no/such/file", "there is no hypervisor '/no/such/file'")]
    public void AWrongArgumentOfTheCommand(string option, string value, string sentence)
    {
        using BootedMachine machine = new(option, value);
        machine.WaitFor(sentence);
        Assert.Equal(2, machine.WaitForExit());
    }

    [Theory]
    [InlineData("")]
    [InlineData("doctor", "--frobnicate")]
    [InlineData("build", "--frobnicate")]
    [InlineData("boot", "--frobnicate")]
    [InlineData("test", "--frobnicate")]
    [InlineData("check", "--frobnicate")]
    [InlineData("fmt", "--frobnicate")]
    [InlineData("clean", "--frobnicate")]
    [InlineData("frobnicate")]
    public void AWrongVerbOrOptionOfX(params string[] arguments)
    {
        ProcessStartInfo start = new(Repository.Path("x")) { RedirectStandardOutput = true, RedirectStandardError = true };
        Array.ForEach(arguments, start.ArgumentList.Add);
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        string[] errors = process.StandardError.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.Equal(2, process.ExitCode);
        Assert.Empty(output);
        Assert.Single(errors);
        Assert.StartsWith("x: ", errors[0], StringComparison.Ordinal);
    }

    private static void Says(string sentence, params string[] arguments)
    {
        List<string> all = [.. arguments];
        if (!all.Contains("--options"))
        {
            all.AddRange(["--options", "console=com1 com1=115200,8n1 noreboot"]);
        }

        using BootedMachine machine = new([.. all]);
        machine.WaitFor(sentence);
        Assert.DoesNotContain("panic", machine.Console, StringComparison.Ordinal);
    }
}
