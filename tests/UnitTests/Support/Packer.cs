// Files made by the real packers.
using System.Diagnostics;
using System.IO;

namespace Xenolith.UnitTests.Support;

/// <summary>Runs the packers of the system.</summary>
internal static class Packer
{
    /// <summary>Packs by a program that reads its input and writes its output.</summary>
    internal static byte[] Pack(string program, string arguments, byte[] input)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        System.Threading.Tasks.Task write = System.Threading.Tasks.Task.Run(() =>
        {
            process.StandardInput.BaseStream.Write(input);
            process.StandardInput.Close();
        });
        using MemoryStream output = new();
        process.StandardOutput.BaseStream.CopyTo(output);
        write.Wait();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output.ToArray();
    }

    internal static byte[] Xz(byte[] input, string options = "--check=crc32 --x86 --lzma2=dict=1MiB") => Pack("xz", $"-c -T1 {options}", input);

    internal static byte[] Gzip(byte[] input, int level = 9) => Pack("gzip", $"-c -{level}", input);

    internal static byte[] Zstd(byte[] input, string options = "-3 --check") => Pack("zstd", $"-q -c {options}", input);

    /// <summary>The legacy format, which is the one of Linux kernels.</summary>
    internal static byte[] Lz4(byte[] input, int level = 9) => Pack("lz4", $"-q -l -c -{level}", input);
}
