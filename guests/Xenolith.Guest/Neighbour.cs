// What an attacker knows of its victim.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>Finds the victim, whose domain and the guest's own the command line names: victim=N self=N.</summary>
internal static unsafe class Neighbour
{
    /// <summary>The victim's grant reference for the letter to domain n is this plus n.</summary>
    internal const uint FirstLetter = 8;

    private const ulong WaitNanoseconds = 30_000_000_000;

    private static Letter* s_letter;

    internal static ushort Victim { get; private set; }

    internal static ushort Self { get; private set; }

    internal static ref Letter Letter => ref *s_letter;

    internal static int FrameCount => (int)s_letter->FrameCount;

    /// <summary>A frame of the victim's, of each kind of use.</summary>
    internal static ulong Frame(int index) => (&s_letter->FirstFrame)[index];

    /// <summary>Waits until the victim is ready; a guest that was not started as an attacker skips its questions.</summary>
    internal static void Start()
    {
        Victim = (ushort)Arguments.Number("victim"u8, 0);
        Self = (ushort)Arguments.Number("self"u8, 0);
        if (Victim == 0 || Self == 0)
        {
            Report.Skip("it attacks a victim, and was told of none"u8);
        }

        Traps.Start();
        Grants.Start();
        s_letter = (Letter*)Memory.TakePage();
        ulong end = Timers.Now + WaitNanoseconds;
        while (Grants.Map(Victim, FirstLetter + Self, s_letter, 0, out _) != Grants.Done || Volatile.Read(ref s_letter->Ready) != Letter.IsReady)
        {
            Xen.Call(HypercallNumber.SchedOp, 0);
            if (Timers.Now > end)
            {
                Report.Error("there is no victim"u8);
            }
        }
    }

    /// <summary>Asks the victim for something and waits for the answer.</summary>
    internal static ulong Ask(ulong request)
    {
        Volatile.Write(ref s_letter->Answer, Letter.Nothing);
        Volatile.Write(ref s_letter->Request, request);
        ulong answer;
        while ((answer = Volatile.Read(ref s_letter->Answer)) == Letter.Nothing)
        {
            Xen.Call(HypercallNumber.SchedOp, 0);
        }

        return answer;
    }

    /// <summary>Tells the victim that this attacker has done all it could, and ends.</summary>
    internal static void Finish()
    {
        Volatile.Write(ref s_letter->Request, Letter.Finished);
        Report.Finish();
    }
}
