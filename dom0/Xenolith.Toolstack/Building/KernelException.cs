// Why a file cannot be a domain's kernel.
using System.Text;
using Xenolith.Loading;

namespace Xenolith.Toolstack.Building;

/// <summary>The message names the file, says what is wrong with it and what to do.</summary>
public sealed class KernelException : Exception
{
    internal KernelException(string path, LoadError error)
        : this(path, Encoding.UTF8.GetString(LoadErrorText.For(error)))
    {
    }

    internal KernelException(string path, string reason, Exception? inner = null)
        : base($"'{path}' cannot be used as a kernel: {reason}", inner) => Path = path;

    /// <summary>The file.</summary>
    public string Path { get; }
}
