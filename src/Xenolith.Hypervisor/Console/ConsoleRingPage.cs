// The page through which a domain and its console's server exchange bytes.
using System.Threading;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Console;

/// <summary>
/// struct xencons_interface (public io/console.h). The guest can write anything at any time: of its indices only the one that it
/// advances is read, once, and the other one is kept here.
/// </summary>
internal struct ConsoleRingPage
{
    internal const uint InputBytes = 1024;
    internal const uint OutputBytes = 2048;

    private const int Output = 1024;
    private const int InputConsumed = 3072;
    private const int InputProduced = 3076;
    private const int OutputConsumed = 3080;
    private const int OutputProduced = 3084;

    private uint _inputProduced;
    private uint _outputConsumed;

    internal Mfn Frame;

    /// <summary>Bytes that the guest has written; an index that makes no sense counts as an empty ring, from there on.</summary>
    internal uint Waiting()
    {
        uint produced = Volatile.Read(ref PhysicalMemory.Word32(Frame, OutputProduced));
        uint waiting = produced - _outputConsumed;
        if (waiting <= OutputBytes)
        {
            return waiting;
        }

        _outputConsumed = produced;
        return 0;
    }

    /// <summary>The next byte, of those that <see cref="Waiting"/> has counted.</summary>
    internal byte Read() => PhysicalMemory.Byte(Frame, Output + (int)(_outputConsumed++ % OutputBytes));

    /// <summary>Tells the guest how far its output has been read.</summary>
    internal readonly void PublishRead() => Volatile.Write(ref PhysicalMemory.Word32(Frame, OutputConsumed), _outputConsumed);

    /// <summary>Puts a byte where the guest looks for input. False: it has not read what is there.</summary>
    internal bool TryWrite(byte value)
    {
        uint used = _inputProduced - Volatile.Read(ref PhysicalMemory.Word32(Frame, InputConsumed));
        if (used >= InputBytes)
        {
            return false;
        }

        PhysicalMemory.Byte(Frame, (int)(_inputProduced % InputBytes)) = value;
        _inputProduced++;
        Volatile.Write(ref PhysicalMemory.Word32(Frame, InputProduced), _inputProduced);
        return true;
    }
}
