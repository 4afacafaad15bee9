// What a user can get wrong: each ends in one clear sentence and a halted machine.
using System.Collections.Generic;
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
    public void AMalformedOption()
        => Says("the option 'dom0_mem=lots' has a value that cannot be used", "--options", "console=com1 dom0_mem=lots", "--kernel", "none");

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
    public void AWrongArgumentOfTheCommand(string option, string value, string sentence)
    {
        using BootedMachine machine = new(option, value);
        machine.WaitFor(sentence);
        Assert.Equal(2, machine.WaitForExit());
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
