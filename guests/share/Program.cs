// share: how much of a processor a domain gets that computes all the time, and how soon one that sleeps is woken.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>
/// Command line: begin=MS end=MS (the span in which it measures, in the hypervisor's time, which is the same for all domains); every=US (it
/// sleeps so long each time instead of computing); calls=N (its work is hypercalls, so many in a piece); peer=ID (it has an event channel
/// for that domain's flood).
/// </summary>
internal static unsafe class ShareProgram
{
    private const ulong Microsecond = 1000;
    private const ulong Millisecond = 1_000_000;
    private const int Rounds = 5000;
    private const int MaximumWakes = 4096;

    private static ulong s_begin;
    private static ulong s_end;
    private static ulong s_seed;
    private static ulong s_calls;

    [RuntimeExport("guest_share")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        s_begin = Arguments.Number("begin"u8, 1000) * Millisecond;
        s_end = Arguments.Number("end"u8, 2000) * Millisecond;
        Timers.Start();
        ulong peer = Arguments.Number("peer"u8, 0);
        if (peer != 0)
        {
            Invite((ushort)peer);
        }

        s_calls = Arguments.Number("calls"u8, 0);
        ulong every = Arguments.Number("every"u8, 0) * Microsecond;
        if (every != 0)
        {
            Sleep(every);
        }
        else
        {
            Compute();
        }

        Report.Finish();
    }

    private static void Invite(ushort peer)
    {
        ulong argument = DomainIds.Self | ((ulong)peer << 16);
        if (Report.Result(Xen.EventChannel(6, &argument), XenError.None, "a port for the flood"u8))
        {
            Events.Unmask((uint)(argument >> 32));
        }
    }

    /// <summary>
    /// The work that is done says how much of the processor the domain had, whatever the hypervisor's accounts say: it comes in pieces that
    /// take the same time when nothing interrupts them.
    /// </summary>
    private static void Compute()
    {
        Timers.WaitUntil(s_begin);
        Events.Open();
        VcpuRunstateInfo before = Account();
        ulong pieces = 0;
        ulong least = ulong.MaxValue;
        ulong now = s_begin;
        while (now < s_end)
        {
            Piece();
            ulong then = now;
            now = Timers.Now;
            least = Math.Min(least, now - then);
            pieces++;
        }

        VcpuRunstateInfo after = Account();
        ulong span = now - s_begin;
        Say("SHARE work "u8, pieces * least * 10_000 / span);
        Say(" account "u8, (after.Running - before.Running) * 10_000 / span);
        Say(" blocked "u8, (after.Blocked - before.Blocked) * 10_000 / span);
        Say(" of 10000, pieces "u8, pieces);
        Say(" of ns "u8, least);
        Say(" upcalls "u8, Events.Upcalls);
        Text.EndLine();
    }

    private static void Piece()
    {
        for (ulong call = 0; call < s_calls; call++)
        {
            Xen.Call(HypercallNumber.XenVersion);
        }

        ulong seed = s_seed;
        for (int i = 0; i < Rounds && s_calls == 0; i++)
        {
            seed = (seed * 6364136223846793005) + 1442695040888963407;
        }

        s_seed = seed;
    }

    /// <summary>How long after the time that it was asked for each wake-up comes.</summary>
    private static void Sleep(ulong every)
    {
        ulong* late = (ulong*)Memory.TakePage();
        for (int i = 1; i < MaximumWakes * sizeof(ulong) / Memory.PageBytes; i++)
        {
            Memory.TakePage();
        }

        int count = 0;
        ulong next = s_begin + every;
        while (next < s_end && count < MaximumWakes)
        {
            Timers.WaitUntil(next);
            ulong now = Timers.Now;
            Insert(late, count++, now - next);
            next = Math.Max(next + every, now);
        }

        Say("SHARE wakes "u8, (ulong)count);
        Say(" median "u8, late[count / 2] / Microsecond);
        Say(" most of 99 in 100 "u8, late[count * 99 / 100] / Microsecond);
        Say(" most "u8, late[count - 1] / Microsecond);
        Text.Write(" us"u8);
        Text.EndLine();
    }

    private static void Insert(ulong* sorted, int count, ulong value)
    {
        int place = count;
        for (; place > 0 && sorted[place - 1] > value; place--)
        {
            sorted[place] = sorted[place - 1];
        }

        sorted[place] = value;
    }

    private static VcpuRunstateInfo Account()
    {
        VcpuRunstateInfo info = default;
        Xen.Call(HypercallNumber.VcpuOp, 4, 0, (ulong)(&info));
        return info;
    }

    private static void Say(ReadOnlySpan<byte> what, ulong number)
    {
        Text.Write(what);
        Text.Decimal((long)number);
    }
}
