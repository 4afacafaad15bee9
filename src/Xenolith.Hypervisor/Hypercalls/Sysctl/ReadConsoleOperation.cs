// sysctl: what the console has said.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>readconsole: all that the ring still holds, or what came after the byte that an earlier call ended with.</summary>
internal static class ReadConsoleOperation
{
    private const int PieceBytes = 128;

    /// <summary>Error: Fault.</summary>
    internal static XenError Handle(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ReadConsole request))
        {
            return XenError.Fault;
        }

        // Positions are told by their low 32 bits.
        ulong end = ConsoleRing.Produced;
        ulong start = Math.Max(ConsoleRing.Start, end - Math.Min(end, (ulong)ConsoleRing.Bytes));
        uint distance = (uint)end - request.Index;
        if (request.Incremental != 0 && distance <= end - start)
        {
            start = end - distance;
        }

        uint count = (uint)Math.Min(end - start, request.Count);
        if (!TryCopy(start, count, request.Buffer))
        {
            return XenError.Fault;
        }

        request.Count = count;
        request.Index = (uint)(start + count);
        if (!GuestMemory.TryWrite(at, in request))
        {
            return XenError.Fault;
        }

        if (request.Clear != 0)
        {
            ConsoleRing.Start = start + count;
        }

        return XenError.None;
    }

    private static bool TryCopy(ulong start, uint count, ulong buffer)
    {
        Span<byte> piece = stackalloc byte[PieceBytes];
        for (uint done = 0; done < count;)
        {
            int bytes = (int)Math.Min(count - done, PieceBytes);
            for (int i = 0; i < bytes; i++)
            {
                piece[i] = ConsoleRing.At(start + done + (uint)i);
            }

            if (!GuestMemory.TryCopyTo(new GuestAddress(buffer + done), piece.Slice(0, bytes)))
            {
                return false;
            }

            done += (uint)bytes;
        }

        return true;
    }
}
