// What the victim has besides plain memory: tables, descriptors, registers, events.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>Sets all of it up, takes a picture, and compares.</summary>
internal static unsafe class VictimState
{
    internal const int FrameCount = 11;

    /// <summary>A number that no attacker may ever read.</summary>
    internal const ulong Secret = 0x5EC1_2E75_EC1A_11ED;

    private const ulong TreeAddress = 0x50_0000_0000;
    private const ulong MarkBits = PageTables.Accessed | PageTables.Dirty;
    private const ushort Nobody = 0x7000;
    private const int MaximumPictures = 16;

    private static ulong* s_frames;
    private static ulong* s_watched;
    private static ulong** s_pages;
    private static ulong** s_pictures;
    private static int s_pictureCount;
    private static ulong s_seed;
    private static uint s_ipi;
    private static uint s_echo;
    private static ulong s_lastTime;
    private static ulong s_checks;

    internal static uint ForeignPort { get; private set; }

    internal static ulong Frame(int index) => s_frames[index];

    internal static void Start(ulong seed)
    {
        s_seed = seed;
        s_frames = (ulong*)Memory.TakePage();
        s_pages = (ulong**)Memory.TakePage();
        s_pictures = s_pages + MaximumPictures;
        s_watched = (ulong*)Memory.TakePage();
        Descriptors.Start();
        Descriptors.Write(20, Descriptors.Data | (seed << 16 & 0xFFFF_0000));
        ulong* data = (ulong*)Memory.TakePage();
        data[0] = Secret;
        ulong* root = Tree(data);
        s_frames[0] = Memory.Frame(data);
        s_frames[5] = Memory.Frame(Descriptors.Table);
        s_frames[6] = *(ulong*)(Memory.StartInfo + StartInfoLayout.SharedInfo) >> 12;
        s_frames[7] = Grants.Frame;
        s_frames[8] = Memory.Frame(Memory.Root);
        s_frames[9] = Memory.Frame(Memory.StartInfo);
        s_frames[10] = *(ulong*)(Memory.StartInfo + StartInfoLayout.ConsoleMfn);
        Report.Check(root != null, "a tree of tables"u8);
        VectorRegisters.Start(seed);
        VectorRegisters.TryWiden();
        for (ulong number = 0; number < 4; number++)
        {
            Xen.Call(HypercallNumber.SetDebugReg, number, (ulong)(s_watched + number));
            Xen.Call(HypercallNumber.SetSegmentBase, number & 1, 0x1234_5000 + (seed << 8) + (number & 1));
        }

        // Writes of 8 bytes to each of the four words.
        Xen.Call(HypercallNumber.SetDebugReg, 7, 0x9999_00FF);
        s_ipi = (uint)Events.BindIpi(0);
        s_echo = OpenPort(Nobody);
        ForeignPort = OpenPort(Nobody);
        Report.Check(s_ipi != 0, "a port for itself"u8);
    }

    /// <summary>A port that a domain may bind to.</summary>
    internal static uint OpenPort(ushort domain)
    {
        ulong argument = DomainIds.Self | ((ulong)domain << 16);
        return Xen.EventChannel(6, &argument) == 0 ? (uint)(argument >> 32) : 0;
    }

    /// <summary>A tree that nobody enters, so that nothing but an attack changes it.</summary>
    private static ulong* Tree(ulong* data)
    {
        ulong* root = (ulong*)Memory.TakePage();
        PageTables.Add(root, TreeAddress, Memory.Machine(data) | PageTables.UserWritable);
        ulong* table = root;
        for (int level = 4; level >= 1; level--)
        {
            s_frames[level] = Memory.Frame(table);
            AddPage(table);
            table = (ulong*)Memory.Address((table[PageTables.Index(TreeAddress, level)] & PageTables.FrameMask) >> 12);
        }

        bool isPinned = PageTables.Protect(root, 4) == 0 && Xen.MmuExtended(MmuExtendedCommand.PinL4Table, Memory.Frame(root)) == 0;
        return isPinned ? root : null;
    }

    /// <summary>Remembers what the pages hold: the tree, the descriptors, and the tables that it runs on.</summary>
    internal static void TakePictures()
    {
        AddPage(Descriptors.Table);
        AddPage(Memory.Root);
        for (int i = 0; i < s_pictureCount; i++)
        {
            s_pictures[i] = (ulong*)Memory.TakePage();
            for (int word = 0; word < 512; word++)
            {
                s_pictures[i][word] = s_pages[i][word];
            }
        }
    }

    private static void AddPage(ulong* page) => s_pages[s_pictureCount++] = page;

    internal static bool Check() => CheckPages() && CheckRegisters() && CheckBreakpoints() && CheckEvents() && CheckTime();

    private static bool CheckPages()
    {
        for (int i = 0; i < s_pictureCount; i++)
        {
            bool isRoot = s_pages[i] == Memory.Root;
            for (int word = 0; word < 512; word++)
            {
                ulong difference = s_pages[i][word] ^ s_pictures[i][word];
                bool isHypervisors = word is >= 256 and < 272;
                if ((isRoot ? difference & ~MarkBits : difference) != 0 && !isHypervisors)
                {
                    return Report.Same(s_pages[i][word], s_pictures[i][word], "a word of a table"u8);
                }
            }
        }

        return true;
    }

    /// <summary>They stay what they are while others use theirs: in a long loop, and now and then across giving the processor away.</summary>
    private static bool CheckRegisters()
    {
        // mov ecx, 100000; dec ecx; jnz; sched_op(yield) or xen_version(0) by AL; then the same loop again.
        byte hypercall = (byte)(++s_checks % 16 == 0 ? 29 : 17);
        ReadOnlySpan<byte> code =
        [
            0xB9, 0xA0, 0x86, 1, 0, 0xFF, 0xC9, 0x75, 0xFC, 0x0F, 0xB6, 0xC0, 0x31, 0xFF, 0x0F, 0x05,
            0xB9, 0xA0, 0x86, 1, 0, 0xFF, 0xC9, 0x75, 0xFC,
        ];
        bool isWhole = Report.Check(VectorRegisters.Survive(code, hypercall), "the registers of x87, SSE and AVX"u8);
        return isWhole & CheckBase(0xC000_0100, 0) & CheckBase(0xC000_0102, 1);
    }

    private static bool CheckBase(ulong register, ulong number)
    {
        ProbeRegisters registers = new() { Rcx = register };
        return Report.Same(Traps.Try([0x0F, 0x32], ref registers), Traps.None, "the base of a segment can be read"u8)
            && Report.Same((uint)registers.Rax, 0x1234_5000 + (s_seed << 8) + number, "the base of a segment"u8);
    }

    private static bool CheckBreakpoints()
    {
        bool isWhole = true;
        for (ulong number = 0; number < 4; number++)
        {
            isWhole &= Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, number), (ulong)(s_watched + number), "a debug register"u8);
        }

        int which = (int)(s_lastTime & 3);
        Xen.Call(HypercallNumber.SetDebugReg, 6, 0);
        ProbeRegisters registers = new() { Rcx = (ulong)(s_watched + which) };
        isWhole &= Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, 7), 0x9999_04FF, "dr7"u8);
        isWhole &= Report.Same(Traps.Try([0x48, 0x89, 0x01, 0x90], ref registers), 1, "a breakpoint is met"u8);

        // QEMU's translator may report others that were met before as well.
        return isWhole & Report.Check(((ulong)Xen.Call(HypercallNumber.GetDebugReg, 6) >> which & 1) != 0, "the breakpoint that was met"u8);
    }

    /// <summary>What it sends to itself arrives; on ports that are for nobody nothing does.</summary>
    private static bool CheckEvents()
    {
        ulong silent = (1UL << (int)s_echo) | (1UL << (int)ForeignPort);
        bool isWhole = Report.Same(Volatile.Read(ref Events.Pending) & silent, 0, "events from nobody"u8);
        isWhole &= Report.Result(Events.Send(s_ipi), XenError.None, "an event to itself"u8);
        isWhole &= Report.Check((Volatile.Read(ref Events.Pending) & (1UL << (int)s_ipi)) != 0, "the event is there"u8);
        Interlocked.And(ref Events.Pending, ~(1UL << (int)s_ipi));
        return isWhole;
    }

    private static bool CheckTime()
    {
        ulong now = Timers.Now;
        bool isWhole = Report.Check(now >= s_lastTime, "time does not go back"u8);
        s_lastTime = now;
        return isWhole;
    }
}
