// operations: what single operations cost. Alone it measures what a domain does by itself; role=client what it does with its peer,
// another instance with role=server. peer=ID tells each the other's domain id.
using System;
using System.Runtime;
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class OperationsProgram
{
    private const int Batches = 5;
    private const int Pages = 64;
    private const uint Reference = 8;
    private const int LastPort = 16;
    private const ulong Rest = 10_000_000_000;
    private const ulong Retry = 20_000_000;

    private static ulong* s_table;
    private static byte* s_window;
    private static byte* s_page;
    private static MmuUpdate* s_requests;
    private static ushort s_peer;
    private static uint s_port;

    // By this port the client has the server begin or end to yield all the time.
    private static uint s_yieldPort;
    private static ulong s_flip;

    [RuntimeExport("guest_operations")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Report.Same((ulong)Traps.Callbacks(), 0, "registering the callbacks"u8);
        s_page = Memory.TakePage();
        if (!SetUpGrants())
        {
            return;
        }

        if (!TryNumber("peer="u8, out s_peer))
        {
            s_peer = DomainIds.Domain0;
            Alone();
        }
        else if (Find("role=server"u8) >= 0)
        {
            Serve();
        }
        else
        {
            Together();
        }
    }

    private static void Alone()
    {
        UserSpace.Start();
        s_window = Memory.TakePage();
        for (int i = 1; i < Pages; i++)
        {
            Memory.TakePage();
        }

        s_requests = (MmuUpdate*)Memory.TakePage();
        for (int i = 0; i < Pages; i++)
        {
            s_requests[i].Pointer = PageTables.EntryMachine((ulong)s_window + ((ulong)i * Memory.PageBytes), 1);
        }

        Measure("null_hypercall"u8, &NullHypercall, 2000);
        Measure("mmu_update_1"u8, &UpdateOne, 1000);
        Measure("mmu_update_64"u8, &UpdateMany, 100);
        Measure("update_va_mapping"u8, &UpdateMapping, 1000);
        UserSpace.Load([0x0F, 0x05]);
        Measure("syscall_bounce"u8, &EnterUser, 1000);

        // mov (0), %al
        UserSpace.Load([0x8A, 0x04, 0x25, 0, 0, 0, 0]);
        Measure("page_fault_bounce"u8, &EnterUser, 1000);
        Measure("grant_map_unmap_own"u8, &MapAndUnmap, 500);
        Measure("grant_copy_4k_own"u8, &Copy, 200);
    }

    private static void Together()
    {
        s_window = Memory.TakePage();
        Timers.Start();
        Pause(Rest);
        while (!TryBind(out s_port))
        {
            Pause(Retry);
        }

        Events.Unmask(s_port);
        if (!Report.Check(TryBind(out s_yieldPort), "the server's second port"u8))
        {
            return;
        }

        Measure("event_round_trip"u8, &RoundTrip, 500);
        Measure("grant_map_unmap"u8, &MapAndUnmap, 500);
        Events.Send(s_yieldPort);
        Measure("domain_switch"u8, &Yield, 500, 2);
        Events.Send(s_yieldPort);
        Measure("grant_copy_4k"u8, &Copy, 200);
    }

    /// <summary>Answers each event with one; in between it yields for as long as it is told to.</summary>
    private static void Serve()
    {
        s_port = OpenPort();
        s_yieldPort = OpenPort();
        while (true)
        {
            if ((WaitForPeer() & Bit(s_yieldPort)) == 0)
            {
                Events.Send(s_port);
                continue;
            }

            Events.Open();
            while ((Events.Seen & Bit(s_yieldPort)) == 0)
            {
                Yield();
            }

            Events.Forget();
        }
    }

    private static uint OpenPort()
    {
        ulong argument = DomainIds.Self | ((ulong)s_peer << 16);
        if (Xen.EventChannel(6, &argument) != 0)
        {
            Report.Error("no port for the peer"u8);
        }

        Events.Unmask((uint)(argument >> 32));
        return (uint)(argument >> 32);
    }

    /// <summary>The server's ports are the first that can be bound, in their order.</summary>
    private static bool TryBind(out uint port)
    {
        port = 0;
        uint* argument = stackalloc uint[3];
        for (uint remote = 1; remote < LastPort; remote++)
        {
            argument[0] = s_peer;
            argument[1] = remote;
            if (Xen.EventChannel(0, argument) == 0)
            {
                port = argument[2];
                return true;
            }
        }

        return false;
    }

    private static void Pause(ulong nanoseconds)
    {
        Events.Forget();
        Timers.SingleShot(Timers.Now + nanoseconds);
        Timers.Wait();
    }

    /// <summary>Waits for an event of the peer; gives the ports whose events have come, as bits.</summary>
    private static ulong WaitForPeer()
    {
        // Between the look and the block events stay closed: blocking opens them.
        Events.Close();
        while ((Events.Seen & (Bit(s_port) | Bit(s_yieldPort))) == 0)
        {
            Xen.Call(HypercallNumber.SchedOp, 1);
            Events.Close();
        }

        ulong seen = Events.Seen;
        Events.Forget();
        return seen;
    }

    private static ulong Bit(uint port) => 1UL << (int)port;

    private static bool SetUpGrants()
    {
        ulong frame = 0;
        GrantSetupTable request = new() { DomainId = DomainIds.Self, FrameCount = 1, Status = 1, FrameList = (ulong)(&frame) };
        Report.Result(Xen.Call(HypercallNumber.GrantTableOp, 2, (ulong)(&request), 1), XenError.None, "setup_table"u8);
        s_table = (ulong*)Memory.TakePage();
        if (!Report.Same((ushort)request.Status, 0, "its status"u8)
            || !Report.Result(Xen.UpdateVaMapping((ulong)s_table, (frame << 12) | PageTables.KernelWritable), XenError.None, "the table is mapped"u8))
        {
            return false;
        }

        TryNumber("peer="u8, out ushort peer);
        Volatile.Write(ref s_table[Reference], GrantEntryFlags.PermitAccess | ((ulong)peer << 16) | (Memory.Frame(s_page) << 32));
        return true;
    }

    private static void NullHypercall() => Xen.Call(HypercallNumber.XenVersion);

    /// <summary>What a page of the window is mapped as next: with or without the right to write.</summary>
    private static ulong NextEntry(int page)
        => Memory.Machine(s_window + (page * Memory.PageBytes)) | (s_flip % 2 == 0 ? PageTables.KernelReadable : PageTables.KernelWritable);

    private static void UpdateOne()
    {
        s_requests[0].Value = NextEntry(0);
        s_flip++;
        Expect(Xen.Call(HypercallNumber.MmuUpdate, (ulong)s_requests, 1, 0, DomainIds.Self));
    }

    private static void UpdateMany()
    {
        for (int i = 0; i < Pages; i++)
        {
            s_requests[i].Value = NextEntry(i);
        }

        s_flip++;
        Expect(Xen.Call(HypercallNumber.MmuUpdate, (ulong)s_requests, Pages, 0, DomainIds.Self));
    }

    private static void UpdateMapping()
    {
        s_flip++;
        Expect(Xen.UpdateVaMapping((ulong)s_window, NextEntry(0)));
    }

    private static void EnterUser()
    {
        IretContext frame = UserSpace.Frame();
        Traps.Leave(ref frame);
    }

    private static void MapAndUnmap()
    {
        GrantMap map = new() { HostAddress = (ulong)s_window, Flags = GrantMapFlags.HostMap, Reference = Reference, DomainId = s_peer, Status = 1 };
        Expect(Xen.Call(HypercallNumber.GrantTableOp, 0, (ulong)(&map), 1) | (ushort)map.Status);
        GrantUnmap unmap = new() { HostAddress = (ulong)s_window, Handle = map.Handle, Status = 1 };
        Expect(Xen.Call(HypercallNumber.GrantTableOp, 1, (ulong)(&unmap), 1) | (ushort)unmap.Status);
    }

    private static void Copy()
    {
        GrantCopy copy = new()
        {
            Source = new GrantCopySide { Page = Reference, DomainId = s_peer },
            Destination = new GrantCopySide { Page = Memory.Frame(Memory.CodePage), DomainId = DomainIds.Self },
            Length = Memory.PageBytes,
            Flags = GrantCopy.SourceIsReference,
            Status = 1,
        };
        Expect(Xen.Call(HypercallNumber.GrantTableOp, 5, (ulong)(&copy), 1) | (ushort)copy.Status);
    }

    private static void Yield() => Xen.Call(HypercallNumber.SchedOp, 0);

    private static void RoundTrip()
    {
        Events.Send(s_port);
        WaitForPeer();
    }

    private static void Expect(long result)
    {
        if (result != 0)
        {
            Report.Result(result, XenError.None, "an operation that is measured"u8);
            Report.Finish();
        }
    }

    /// <summary>
    /// Prints the batches' middle, least and greatest time for one of the parts of an operation, in nanoseconds: instructions where QEMU
    /// counts them.
    /// </summary>
    private static void Measure(ReadOnlySpan<byte> name, delegate*<void> operation, int count, int parts = 1)
    {
        ulong* times = stackalloc ulong[Batches];
        operation();
        for (int batch = 0; batch < Batches; batch++)
        {
            ulong begin = Timers.Now;
            for (int i = 0; i < count; i++)
            {
                operation();
            }

            ulong time = (Timers.Now - begin) / (ulong)(count * parts);
            int place = batch;
            for (; place > 0 && times[place - 1] > time; place--)
            {
                times[place] = times[place - 1];
            }

            times[place] = time;
        }

        Text.Write("MICRO "u8);
        Text.Write(name);
        Text.Write(" "u8);
        Text.Decimal((long)times[Batches / 2]);
        Text.Write(" ns "u8);
        Text.Decimal((long)times[0]);
        Text.Write(" "u8);
        Text.Decimal((long)times[Batches - 1]);
        Text.Write(" "u8);
        Text.Decimal(count);
        Text.EndLine();
    }

    /// <summary>Where the command line holds a word; -1: nowhere.</summary>
    private static int Find(ReadOnlySpan<byte> word)
    {
        ReadOnlySpan<byte> line = new(Memory.StartInfo + StartInfoLayout.CommandLine, StartInfoLayout.CommandLineBytes);
        for (int i = 0; i + word.Length <= line.Length; i++)
        {
            if (line.Slice(i, word.Length).SequenceEqual(word))
            {
                return i;
            }
        }

        return -1;
    }

    private static bool TryNumber(ReadOnlySpan<byte> word, out ushort number)
    {
        number = 0;
        int at = Find(word);
        byte* digit = Memory.StartInfo + StartInfoLayout.CommandLine + at + word.Length;
        for (; at >= 0 && *digit is >= (byte)'0' and <= (byte)'9'; digit++)
        {
            number = (ushort)((number * 10) + *digit - '0');
        }

        return at >= 0;
    }
}
