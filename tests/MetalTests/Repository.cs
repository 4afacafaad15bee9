// Where the project's files are.
using System.IO;
using System.Threading;

namespace Xenolith.MetalTests;

/// <summary>Paths below the directory that holds ./x.</summary>
internal static class Repository
{
    private static int s_files;

    internal static string Root { get; } = Find();

    internal static string Path(string relative) => System.IO.Path.Combine(Root, relative);

    /// <summary>Puts bytes into a file of its own under out/tests.</summary>
    internal static string WriteFile(string name, byte[] contents)
    {
        string directory = Path("out/tests");
        Directory.CreateDirectory(directory);
        string path = System.IO.Path.Combine(directory, $"{Interlocked.Increment(ref s_files)}-{name}");
        File.WriteAllBytes(path, contents);
        return path;
    }

    private static string Find()
    {
        for (string? at = AppContext.BaseDirectory; at is not null; at = System.IO.Path.GetDirectoryName(at))
        {
            if (File.Exists(System.IO.Path.Combine(at, "x")) && Directory.Exists(System.IO.Path.Combine(at, "tools", "commands")))
            {
                return at;
            }
        }

        throw new InvalidOperationException("the tests do not run inside the project");
    }
}
