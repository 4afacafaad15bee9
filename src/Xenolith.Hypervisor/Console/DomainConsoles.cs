// The consoles of all boot-time domains.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Console;

/// <summary>
/// A domain's event has its ring read at once, as far as the domain's budget and the budget of all allow; the rest is left in the ring,
/// where the guest waits with it, and read when a timer says so.
/// </summary>
internal static class DomainConsoles
{
    /// <summary>How many consoles there can be: as many as domains.</summary>
    internal const int Capacity = DomainTable.Capacity;

    private const uint DomainBurst = 64 * 1024;
    private const uint DomainRate = 16 * 1024;
    private const uint Burst = 128 * 1024;
    private const uint Rate = 64 * 1024;

    /// <summary>Most bytes that are printed at a time while everybody else waits.</summary>
    private const uint Step = 512;

    private const ulong RetryNanoseconds = 5_000_000;
    private const ulong Never = ulong.MaxValue;

    private static GrowableTable<DomainConsole> s_consoles;
    private static OutputBudget s_budget;
    private static ulong s_retryAt;
    private static int s_next;

    /// <summary>The console that somebody talks to; 0: none.</summary>
    private static int s_interactive;

    /// <summary>Slots that have memory.</summary>
    internal static int Count => s_consoles.Count;

    /// <summary>Takes an empty table, which grows with the consoles.</summary>
    internal static void Initialize(GrowableTable<DomainConsole> table)
    {
        s_consoles = table;
        s_budget = OutputBudget.New(Burst, Rate);
        s_retryAt = Never;
        s_next = 0;
        s_interactive = 0;
    }

    /// <summary>The name of a domain that has a console.</summary>
    internal static ReadOnlySpan<byte> NameOf(ref Domain domain)
        => domain.ConsoleSlot == 0 ? default : DomainConsole.Name(ref s_consoles[domain.ConsoleSlot - 1]);

    /// <summary>
    /// Gives a domain in building a console over that ring, a page of its own; gives the port. What it needs of memory has been counted
    /// before: <see cref="Fatal"/> without it.
    /// </summary>
    internal static uint Open(ref Domain domain, Mfn ring, ReadOnlySpan<byte> name, int number)
    {
        int slot = FreeSlot();
        ref DomainConsole console = ref s_consoles[slot];
        console = default;
        console.IsInUse = true;
        console.Slot = slot + 1;
        console.DomainId = domain.Id;
        console.Ring.Frame = ring;
        console.Budget = OutputBudget.New(DomainBurst, DomainRate);
        console.SetName(name, number);
        domain.ConsoleSlot = slot + 1;

        // Held as a writer for as long as the console is open: the page cannot become a table, nor anybody else's.
        Fatal.Assert(PageTypes.TryTakeWritable(ref domain, ring) == XenError.None, "the page of a new domain's console cannot be written"u8);
        Fatal.Assert(EventPorts.TryAllocate(ref domain, out console.Port) == XenError.None, "no memory for the event channels of a domain"u8);
        EventPorts.Open(ref domain, console.Port, EventChannelState.Unbound, 0, DomainIds.Xen, 0);
        return console.Port;
    }

    /// <summary>Prints what an ended domain has said last, as far as that is allowed; whoever talked to it talks to another one.</summary>
    internal static void End(ref Domain domain)
    {
        if (domain.ConsoleSlot != 0)
        {
            ref DomainConsole console = ref s_consoles[domain.ConsoleSlot - 1];
            Take(ref console, ConsoleRingPage.OutputBytes);
            console.IsWaiting = false;
            console.Flush();
            ConsoleInput.OnClosed(console.Slot);
        }
    }

    /// <summary>The name of the console in a slot that is in use.</summary>
    internal static ReadOnlySpan<byte> NameAt(int slot) => DomainConsole.Name(ref s_consoles[slot - 1]);

    /// <summary>Whether a console has the name that this one, with its number, would have.</summary>
    internal static bool HasName(ReadOnlySpan<byte> name, int number)
    {
        DomainConsole wanted = default;
        wanted.SetName(name, number);
        for (int slot = 0; slot < s_consoles.Count; slot++)
        {
            if (s_consoles[slot].IsInUse && DomainConsole.Name(ref s_consoles[slot]).SequenceEqual(DomainConsole.Name(ref wanted)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The slot after another one whose domain runs; 0: there is none.</summary>
    internal static int Next(int slot)
    {
        for (int next = slot; next < s_consoles.Count; next++)
        {
            if (s_consoles[next].IsInUse && DomainTable.At(s_consoles[next].DomainId).State == DomainState.Running)
            {
                return next + 1;
            }
        }

        return 0;
    }

    /// <summary>Somebody talks to that domain from now on: what it writes is shown as it comes. 0: to none.</summary>
    internal static void SetInteractive(int slot) => s_interactive = slot;

    /// <summary>Shows the line that the domain which is talked to has begun.</summary>
    internal static void ShowInteractive()
    {
        if (s_interactive != 0)
        {
            s_consoles[s_interactive - 1].ShowPart();
        }
    }

    /// <summary>A key for the domain; lost when it does not read what it has got.</summary>
    internal static void PutInput(int slot, byte value) => s_consoles[slot - 1].Ring.TryWrite(value);

    /// <summary>Tells the domain that it has got keys.</summary>
    internal static void NotifyInput(int slot) => Notify(ref s_consoles[slot - 1]);

    /// <summary>The domain is being destroyed: prints what it has said last, and lets go of its page.</summary>
    internal static void Close(ref Domain domain)
    {
        if (domain.ConsoleSlot != 0)
        {
            End(ref domain);
            ref DomainConsole console = ref s_consoles[domain.ConsoleSlot - 1];
            console.IsInUse = false;
            domain.ConsoleSlot = 0;
            DomainFrames.ReleaseShared(console.Ring.Frame);
        }
    }

    /// <summary>The guest has sent the event of a port that belongs to the hypervisor.</summary>
    internal static void OnEvent(ref Domain domain, uint port)
    {
        if (domain.ConsoleSlot != 0 && s_consoles[domain.ConsoleSlot - 1].Port == port)
        {
            Serve(ref s_consoles[domain.ConsoleSlot - 1]);
        }
    }

    /// <summary>
    /// Output by hypercall. False: the budget is spent, and the guest has to try again. Nothing else may be printed of
    /// <paramref name="text"/> then.
    /// </summary>
    internal static bool TryWrite(ref Domain domain, ReadOnlySpan<byte> text)
    {
        ref DomainConsole console = ref s_consoles[domain.ConsoleSlot - 1];
        if (Allowed(ref console, (uint)text.Length) < (uint)text.Length)
        {
            return false;
        }

        bool hasSpoken = console.HasSpoken;
        for (int i = 0; i < text.Length; i++)
        {
            console.Put(text[i], s_interactive == console.Slot);
        }

        NoteFirstLine(ref console, hasSpoken);
        Spend(ref console, (uint)text.Length);
        return true;
    }

    /// <summary>Serves the consoles that wait, each in its turn; gives the time of the next attempt.</summary>
    internal static ulong ServeWaiting(ulong now)
    {
        if (s_retryAt > now)
        {
            return s_retryAt;
        }

        s_retryAt = Never;
        uint left = Step;
        int first = s_next;
        for (int i = 0; i < s_consoles.Count; i++)
        {
            int slot = (first + i) % s_consoles.Count;
            ref DomainConsole console = ref s_consoles[slot];
            if (console.IsInUse && console.IsWaiting)
            {
                left -= Take(ref console, left);
                s_next = slot + 1;
                s_retryAt = console.IsWaiting ? now + RetryNanoseconds : s_retryAt;
                if (left == 0)
                {
                    s_retryAt = now + RetryNanoseconds;
                    break;
                }
            }
        }

        return s_retryAt;
    }

    private static int FreeSlot()
    {
        for (int slot = 0; slot < s_consoles.Count; slot++)
        {
            if (!s_consoles[slot].IsInUse)
            {
                return slot;
            }
        }

        Fatal.Assert(DomainFrames.TryAllocateOwn(out Mfn frame), "no memory for the console of a domain"u8);
        int count = s_consoles.Count;
        s_consoles.Add(frame);
        return count;
    }

    private static void Serve(ref DomainConsole console)
    {
        if (!console.IsWaiting)
        {
            Take(ref console, Step);
        }

        if (console.IsWaiting && s_retryAt == Never)
        {
            s_retryAt = SystemTime.Now() + RetryNanoseconds;
            Timers.Program(s_retryAt);
        }
    }

    /// <summary>Prints from the ring, so much at most, and tells the guest; gives how much.</summary>
    private static uint Take(ref DomainConsole console, uint most)
    {
        uint waiting = console.Ring.Waiting();
        uint count = Math.Min(waiting, Allowed(ref console, most));
        bool hasSpoken = console.HasSpoken;
        for (uint i = 0; i < count; i++)
        {
            console.Put(console.Ring.Read(), s_interactive == console.Slot);
        }

        NoteFirstLine(ref console, hasSpoken);
        console.IsWaiting = count < waiting;
        if (count != 0)
        {
            console.Ring.PublishRead();
            Spend(ref console, count);
            Notify(ref console);
            if (s_interactive == console.Slot)
            {
                console.ShowPart();
            }
        }

        return count;
    }

    private static void NoteFirstLine(ref DomainConsole console, bool hadSpoken)
    {
        if (console.HasSpoken && !hadSpoken)
        {
            FirstLine.Report(ref DomainTable.At(console.DomainId));
        }
    }

    private static uint Allowed(ref DomainConsole console, uint most)
    {
        ulong now = SystemTime.Now();
        return ConsoleOutput.HasRoom ? Math.Min(most, Math.Min(console.Budget.Available(now), s_budget.Available(now))) : 0;
    }

    private static void Spend(ref DomainConsole console, uint bytes)
    {
        console.Budget.Spend(bytes);
        s_budget.Spend(bytes);
    }

    private static void Notify(ref DomainConsole console)
    {
        ref Domain domain = ref DomainTable.At(console.DomainId);
        if (domain.State == DomainState.Running && EventPorts.IsOpen(ref domain, console.Port)
            && domain.Events.At(console.Port) is { State: EventChannelState.Unbound, RemoteDomain: DomainIds.Xen })
        {
            EventPorts.SetPending(ref domain, console.Port);
        }
    }
}
