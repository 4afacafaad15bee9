// The terminal of this process.
using System.Runtime.InteropServices;

namespace Xenolith.Toolstack.Interop;

/// <summary>Hands every key on as it is until it is disposed of (termios(3), cfmakeraw).</summary>
internal sealed unsafe partial class Terminal : IDisposable
{
    private const int Input = 0;
    private const int Now = 0;

    private State _before;
    private bool _isRaw;

    /// <summary>struct termios of x86-64 Linux.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 60)]
    private struct State;

    /// <summary>Makes the terminal on standard input raw; does nothing when there is none.</summary>
    internal static Terminal MakeRaw()
    {
        Terminal terminal = new();
        fixed (State* before = &terminal._before)
        {
            if (Get(Input, before) == 0)
            {
                State raw = *before;
                MakeRaw(&raw);
                terminal._isRaw = Set(Input, Now, &raw) == 0;
            }
        }

        return terminal;
    }

    public void Dispose()
    {
        fixed (State* before = &_before)
        {
            if (_isRaw)
            {
                _isRaw = false;
                Set(Input, Now, before);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    private static partial int Get(int file, State* state);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    private static partial int Set(int file, int when, State* state);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    private static partial void MakeRaw(State* state);
}
