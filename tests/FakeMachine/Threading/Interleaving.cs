// Where another processor of the fake machine may act.
namespace Xenolith.Machine;

/// <summary>
/// A test that runs several processors, each a thread of its own of which one runs at a time, learns here of the moments at which the
/// order of their actions matters. Without such a test nothing is called.
/// </summary>
public static class Interleaving
{
    /// <summary>Called before each access to memory that processors and guests share.</summary>
    public static Action? OnAccess { get; set; }

    /// <summary>Called for each turn of a loop that waits for another processor.</summary>
    public static Action? OnPause { get; set; }

    /// <summary>Changes of shared memory so far: whoever waits need not look again before there is one more.</summary>
    public static long Changes { get; private set; }

    internal static void Access() => OnAccess?.Invoke();

    /// <summary>Something that another processor may wait for has changed.</summary>
    public static void Changed() => Changes++;
}
