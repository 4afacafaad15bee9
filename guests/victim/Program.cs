// victim: a domain that looks after its memory, tables, registers, grants and events for as long as the attackers beside it run.
using System.Runtime;
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>
/// Command line: peers=N (domains that attack), first=N (the first one's number), seed=N, share=PERCENT (of a processor that it must
/// get), life=SECONDS (after which it gives the attackers up), rest=SECONDS (for which it goes on without attackers).
/// </summary>
internal static unsafe class VictimProgram
{
    private const ushort Nobody = 0x7000;
    private const uint FirstShown = 48;
    private const uint ForeignReference = 40;
    private const int MaximumPeers = 16;
    private const int PagesKept = 24;
    private const ulong Second = 1_000_000_000;
    private const ulong LongestLife = 200;

    private static ulong s_seed;
    private static ulong* s_pattern;
    private static ulong s_patternWords;
    private static Peer* s_peers;
    private static int s_peerCount;
    private static ulong s_loops;

    [RuntimeExport("guest_victim")]
    private static void Main()
    {
        s_seed = Arguments.Number("seed"u8, 1);
        s_peerCount = (int)Math.Min(Arguments.Number("peers"u8, 0), MaximumPeers);
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        Grants.Start();
        VictimState.Start(s_seed);
        ulong given = GiveUpPage();
        VictimState.TakePictures();
        s_peers = (Peer*)Memory.TakePage();
        s_pattern = (ulong*)Memory.TakePage();
        FillMemory();
        Invite((ushort)Arguments.Number("first"u8, 2), given);
        Report.Note("ready, words of memory"u8, s_patternWords);
        Watch();
        Farewell();
    }

    /// <summary>A page full of secrets is given back to the machine; nobody may find them.</summary>
    private static ulong GiveUpPage()
    {
        ulong* page = (ulong*)Memory.TakePage();
        for (int i = 0; i < 512; i++)
        {
            page[i] = VictimState.Secret;
        }

        ulong frame = Memory.Frame(page);
        MemoryReservation request = new() { ExtentStart = (ulong)(&frame), ExtentCount = 1, DomainId = DomainIds.Self };
        Xen.UpdateVaMapping((ulong)page, 0);
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)) == 1, "a page is given up"u8);
        return frame;
    }

    /// <summary>All pages that are left but a few, each word by its address and the seed.</summary>
    private static void FillMemory()
    {
        byte* end = Native.PagesEnd - (PagesKept * Memory.PageBytes);
        while (Memory.TakePage() < end - Memory.PageBytes)
        {
        }

        // Taking a page wipes it, so they are filled only now.
        ulong* at = s_pattern;
        for (; (byte*)at < end; at++)
        {
            *at = Expected(at);
        }

        s_patternWords = (ulong)(at - s_pattern);
    }

    private static ulong Expected(ulong* at)
    {
        ulong value = ((ulong)at ^ s_seed) * 0x9E37_79B9_7F4A_7C15;
        return value ^ (value >> 29);
    }

    /// <summary>Writes a letter to each attacker, and says in it what there is to be had.</summary>
    private static void Invite(ushort first, ulong given)
    {
        byte* secret = Memory.TakePage();
        *(ulong*)secret = VictimState.Secret;
        Grants.Offer(ForeignReference, Nobody, secret);
        for (int i = 0; i < s_peerCount; i++)
        {
            ushort id = (ushort)(first + i);
            ref Peer peer = ref s_peers[i];
            peer.Letter = (Letter*)Memory.TakePage();
            peer.Shown = (ulong*)Memory.TakePage();
            peer.Shown[0] = s_seed;
            peer.LetterReference = Neighbour.FirstLetter + id;
            peer.ShownReference = FirstShown + (uint)i;
            peer.Port = VictimState.OpenPort(id);
            *peer.Letter = new Letter
            {
                Port = peer.Port,
                ForeignPort = VictimState.ForeignPort,
                ShownReference = peer.ShownReference,
                ForeignReference = ForeignReference,
                FrameCount = (ulong)VictimState.FrameCount,
            };
            for (int frame = 0; frame < VictimState.FrameCount; frame++)
            {
                (&peer.Letter->FirstFrame)[frame] = VictimState.Frame(frame);
            }

            (&peer.Letter->FirstFrame)[VictimState.FrameCount] = Memory.Frame(s_pattern);
            (&peer.Letter->FirstFrame)[VictimState.FrameCount + 1] = Memory.Frame(secret);
            (&peer.Letter->FirstFrame)[VictimState.FrameCount + 2] = given;
            peer.Letter->FrameCount += 3;
            Grants.Offer(peer.ShownReference, id, peer.Shown, GrantEntryFlags.ReadOnly);
            Volatile.Write(ref peer.Letter->Ready, Letter.IsReady);
            Grants.Offer(peer.LetterReference, id, peer.Letter);
        }
    }

    private static void Watch()
    {
        ulong end = Timers.Now + (Arguments.Number("life"u8, LongestLife) * Second);
        ulong rest = Timers.Now + (Arguments.Number("rest"u8, 0) * Second);
        bool isWhole = true;
        while (isWhole && (!AreAllDone() || Timers.Now < rest))
        {
            isWhole = CheckMemory() && VictimState.Check() && CheckGrants();
            Answer();
            s_loops++;
            if (Timers.Now > end)
            {
                Report.Error("the attackers do not end"u8);
            }
        }
    }

    private static bool CheckMemory()
    {
        for (ulong i = 0; i < s_patternWords; i++)
        {
            if (s_pattern[i] != Expected(s_pattern + i))
            {
                return Report.Same(s_pattern[i], Expected(s_pattern + i), "a word of the memory"u8);
            }
        }

        return true;
    }

    private static bool CheckGrants()
    {
        const ulong Use = GrantEntryFlags.Reading | GrantEntryFlags.Writing;
        bool isWhole = Report.Same(Volatile.Read(ref Grants.Table[ForeignReference]) & 0xFFFF, GrantEntryFlags.PermitAccess, "an offer to nobody is not taken"u8);
        for (int i = 0; i < s_peerCount; i++)
        {
            ref Peer peer = ref s_peers[i];
            isWhole &= Report.Check((Volatile.Read(ref Grants.Table[peer.ShownReference]) & GrantEntryFlags.Writing) == 0, "what is shown is not written"u8)
                && (peer.Shown[0] == s_seed || peer.Shown[0] == VictimState.Secret || Report.Same(peer.Shown[0], s_seed, "the page that is shown"u8));
            peer.HasBegun |= (Volatile.Read(ref Grants.Table[peer.LetterReference]) & Use) != 0;
        }

        return isWhole;
    }

    /// <summary>An attacker has done all it could when it says so, or when it has died.</summary>
    private static bool AreAllDone()
    {
        const ulong Use = GrantEntryFlags.Reading | GrantEntryFlags.Writing;
        for (int i = 0; i < s_peerCount; i++)
        {
            ref Peer peer = ref s_peers[i];
            bool isGone = peer.HasBegun && (Volatile.Read(ref Grants.Table[peer.LetterReference]) & Use) == 0;
            if (!isGone && Volatile.Read(ref peer.Letter->Request) != Letter.Finished)
            {
                return false;
            }
        }

        return true;
    }

    private static void Answer()
    {
        for (int i = 0; i < s_peerCount; i++)
        {
            ref Peer peer = ref s_peers[i];
            if (Volatile.Read(ref peer.Letter->Request) == Letter.TakeBack)
            {
                Volatile.Write(ref peer.Letter->Request, Letter.Nothing);
                Volatile.Write(ref peer.Letter->Answer, TryTakeBack(ref peer) ? Letter.TakenBack : Letter.StillInUse);
            }
        }
    }

    private static bool TryTakeBack(ref Peer peer)
    {
        ulong entry = Volatile.Read(ref Grants.Table[peer.ShownReference]);
        if ((entry & GrantEntryFlags.Reading) != 0 || Interlocked.CompareExchange(ref Grants.Table[peer.ShownReference], 0, entry) != entry)
        {
            return false;
        }

        peer.Shown[0] = VictimState.Secret;
        return true;
    }

    private static void Farewell()
    {
        VcpuRunstateInfo times = default;
        Xen.Call(HypercallNumber.VcpuOp, 4, 0, (ulong)(&times));
        ulong percent = times.Running * 100 / Math.Max(times.Running + times.Runnable, 1);
        Report.Note("loops"u8, s_loops);
        Report.Note("percent of the time that it wanted to run"u8, percent);
        Report.Check(s_loops > 1, "the victim was there"u8);
        Report.Check(percent >= Arguments.Number("share"u8, 0), "the victim got its share of the processors"u8);
    }

    private struct Peer
    {
        internal Letter* Letter;
        internal ulong* Shown;
        internal uint LetterReference;
        internal uint ShownReference;
        internal uint Port;
        internal bool HasBegun;
    }
}
