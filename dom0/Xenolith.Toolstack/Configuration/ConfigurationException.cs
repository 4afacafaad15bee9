// A domain's description that cannot be used: where, what is wrong, what to write instead.
namespace Xenolith.Toolstack.Configuration;

/// <summary>A domain's configuration is wrong; the message names the place, the fault and the cure in one sentence.</summary>
public sealed class ConfigurationException : Exception
{
    /// <summary>Makes the exception with the place in front of its message.</summary>
    /// <param name="source">The file, or what else the text came from.</param>
    /// <param name="line">The line in it, from 1; 0 where no single line is to blame.</param>
    /// <param name="problem">What is wrong and what to do.</param>
    public ConfigurationException(string source, int line, string problem)
        : base(line > 0 ? $"{source}:{line}: {problem}" : $"{source}: {problem}")
    {
        Source = source;
        Line = line;
        Problem = problem;
    }

    /// <summary>The line that is to blame, from 1, or 0.</summary>
    public int Line { get; }

    /// <summary>The message without the place.</summary>
    public string Problem { get; }
}
