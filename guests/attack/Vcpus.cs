// attack_vcpus: vcpus that begin with tables, descriptors, selectors, flags and addresses that are not the guest's, and areas of theirs elsewhere.
using System.Runtime;
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>A vcpu whose context is refused can be tried again; one whose context is taken runs once, and says what it found itself to be.</summary>
internal static unsafe class VcpusAttack
{
    private const ulong Initialize = 0;
    private const ulong Up = 1;
    private const ulong IsUp = 3;
    private const ulong RegisterRunstate = 5;
    private const ulong RegisterInfo = 10;
    private const ulong RegisterTime = 13;
    private const ulong Hypervisor = 0xFFFF_8300_0010_0000;
    private const ulong NotCanonical = 0x8000_0000_0000;
    private const ulong HiddenFlags = 0x2_7000;
    private const int Looks = 20_000_000;
    private const int FaultOffset = 0x27;
    private const int FailsafeOffset = 0x30;
    private const int Vectors = 32;
    private const int Races = 200;
    private const uint Ran = 1;

    // The vcpu that the next context is for; 1 is what the race uses.
    private static ulong s_next;
    private static byte* s_context;
    private static byte* s_code;
    private static byte* s_stack;
    private static Found* s_found;
    private static ulong s_runs;
    private static ulong s_faults;

    [RuntimeExport("guest_attack_vcpus")]
    private static void Main()
    {
        Neighbour.Start();
        s_context = Memory.TakePage();
        Memory.TakePage();
        s_stack = Memory.TakePage();
        s_found = (Found*)Memory.TakePage();
        MakeCode();
        s_next = 2;
        Numbers();
        Tables();
        Addresses();
        Contexts();
        Places();
        Privileges();
        Report.Note("vcpus that began, and ran"u8, s_runs);
        Report.Note("vcpus that began with a fault"u8, s_faults);
        Report.Check(s_runs > 3 && s_faults > 3, "some contexts make a vcpu run, some make it fault"u8);
        Race();
        Areas();
        Neighbour.Finish();
    }

    /// <summary>
    /// mov eax, cs; mov [rdi], eax; mov eax, ss; mov [rdi+4], eax; pushfq; pop rax; mov [rdi+8], rax; mov dword [rdi+16], 1; then the end:
    /// vcpu_op(2, r12), again and again. A fault writes 2 instead, the failsafe callback 3.
    /// </summary>
    private static void MakeCode()
    {
        ReadOnlySpan<byte> code =
        [
            0x8C, 0xC8, 0x89, 0x07, 0x8C, 0xD0, 0x89, 0x47, 0x04, 0x9C, 0x58, 0x48, 0x89, 0x47, 0x08, 0xC7, 0x47, 0x10, 1, 0, 0, 0,
            0xB8, 24, 0, 0, 0, 0xBF, 2, 0, 0, 0, 0x44, 0x89, 0xE6, 0x0F, 0x05, 0xEB, 0xEF,
            0xC7, 0x47, 0x10, 2, 0, 0, 0, 0xEB, 0xE6, 0xC7, 0x47, 0x10, 3, 0, 0, 0, 0xEB, 0xDD,
        ];
        s_code = Memory.TakePage();
        for (int i = 0; i < code.Length; i++)
        {
            s_code[i] = code[i];
        }
    }

    private static ref ulong Word(int offset) => ref *(ulong*)(s_context + offset);

    private static ref ulong Register(int index) => ref Word(VcpuGuestContextLayout.Registers + (index * 8));

    /// <summary>A context that is in order.</summary>
    private static void Fill()
    {
        for (int offset = 0; offset < VcpuGuestContextLayout.Bytes; offset += 8)
        {
            Word(offset) = 0;
        }

        ulong stackEnd = (ulong)s_stack + Memory.PageBytes;
        Word(VcpuGuestContextLayout.Flags) = VcpuGuestContextLayout.InKernel;
        Register(3) = s_next;
        Register(14) = (ulong)s_found;
        Register(16) = (ulong)s_code;
        Register(17) = Selectors.FlatCode64;
        Register(18) = 2;
        Register(19) = stackEnd - 64;
        Register(20) = Selectors.FlatData;
        for (int vector = 0; vector < Vectors; vector++)
        {
            *(TrapInfo*)(s_context + VcpuGuestContextLayout.TrapTable + (vector * sizeof(TrapInfo))) =
                new TrapInfo { Vector = (byte)vector, Cs = Selectors.FlatCode64, Address = (ulong)s_code + FaultOffset };
        }

        Word(VcpuGuestContextLayout.FailsafeCallback) = (ulong)s_code + FailsafeOffset;
        Word(VcpuGuestContextLayout.KernelSs) = Selectors.FlatData;
        Word(VcpuGuestContextLayout.KernelSp) = stackEnd;
        Word(VcpuGuestContextLayout.KernelRoot) = Memory.Machine(Memory.Root);
    }

    private static long Begin() => Xen.Call(HypercallNumber.VcpuOp, Initialize, s_next, (ulong)s_context);

    private static void Refused(ReadOnlySpan<byte> what, ulong subject)
    {
        if (!Report.Check(Begin() < 0, what) | !Report.Check(Xen.Call(HypercallNumber.VcpuOp, Up, s_next) < 0, "a vcpu that nothing began comes up"u8))
        {
            Report.Note("the subject was"u8, subject);
            s_next++;
        }
    }

    /// <summary>Vcpus that there are not, and the one that runs.</summary>
    private static void Numbers()
    {
        Fill();
        ReadOnlySpan<ulong> numbers = [0, 32, 33, 64, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0002, ulong.MaxValue];
        for (int i = 0; i < numbers.Length; i++)
        {
            Report.Check(Xen.Call(HypercallNumber.VcpuOp, Initialize, numbers[i], (ulong)s_context) < 0, "a vcpu that there is not, or that runs"u8);
            Report.Check(numbers[i] == 0 || Xen.Call(HypercallNumber.VcpuOp, Up, numbers[i]) < 0, "a vcpu that there is not comes up"u8);
        }
    }

    /// <summary>Roots and descriptor pages of others, of the wrong kind, that can be written, that are none.</summary>
    private static void Tables()
    {
        for (int i = 0; i < Neighbour.FrameCount; i++)
        {
            Table(Neighbour.Frame(i));
        }

        ReadOnlySpan<ulong> frames = [0, 1, 0xB8, 0x100, 0x200, 0xFEE00, 0xFEC00, 0x7FFF, 0x8000, 1UL << 28, (1UL << 40) - 1, ulong.MaxValue >> 12];
        for (int i = 0; i < frames.Length; i++)
        {
            Table(frames[i]);
        }

        Table(Memory.Frame(s_stack));
        Table(*(ulong*)(Memory.StartInfo + StartInfoLayout.SharedInfo) >> 12);
        Table(Grants.Frame);
        for (int level = 1; level < 4; level++)
        {
            Table(PageTables.EntryMachine((ulong)s_stack, level) >> 12);
        }

        GivenBack();
    }

    private static void Table(ulong frame)
    {
        Fill();
        Word(VcpuGuestContextLayout.KernelRoot) = frame << 12;
        Refused("a kernel root"u8, frame);
        Fill();
        if (frame != 0)
        {
            Word(VcpuGuestContextLayout.UserRoot) = frame << 12;
            Refused("a user root"u8, frame);
        }

        Fill();
        Word(VcpuGuestContextLayout.GdtFrames) = frame;
        Word(VcpuGuestContextLayout.GdtEntries) = 512;
        Refused("a page of descriptors"u8, frame);
    }

    /// <summary>What a context that is refused for its last part had taken before: it is in no use.</summary>
    private static void GivenBack()
    {
        byte* root = Memory.TakePage();
        byte* user = Memory.TakePage();
        byte* descriptors = Memory.TakePage();
        for (int i = 0; i < 3; i++)
        {
            PageTables.MakeReadOnly(root);
            PageTables.MakeReadOnly(user);
            PageTables.MakeReadOnly(descriptors);
            Fill();
            Word(VcpuGuestContextLayout.KernelRoot) = Memory.Machine(root);
            Word(VcpuGuestContextLayout.UserRoot) = i == 0 ? Memory.Machine(s_stack) : Memory.Machine(user);
            Word(VcpuGuestContextLayout.GdtFrames) = Memory.Frame(descriptors);
            Word(VcpuGuestContextLayout.GdtFrames + 8) = Neighbour.Frame(0);
            Word(VcpuGuestContextLayout.GdtEntries) = i == 1 ? 1024UL : 8193;
            Refused("two good tables and a bad one"u8, (ulong)i);
            Report.Result(PageTables.MakeWritable(root), XenError.None, "the root is in no use"u8);
            Report.Result(PageTables.MakeWritable(user), XenError.None, "the user's root is in no use"u8);
            Report.Result(PageTables.MakeWritable(descriptors), XenError.None, "the descriptors are in no use"u8);
        }

        // The same when the guest's own table goes bad only by its entries: one that maps the victim.
        ((ulong*)root)[3] = (Neighbour.Frame(0) << 12) | PageTables.Table;
        PageTables.MakeReadOnly(root);
        Fill();
        Word(VcpuGuestContextLayout.KernelRoot) = Memory.Machine(root);
        Refused("a root that leads to the victim"u8, Neighbour.Frame(0));
        Report.Result(PageTables.MakeWritable(root), XenError.None, "that root is in no use"u8);
    }

    /// <summary>Addresses that are none where the processor would go or look.</summary>
    private static void Addresses()
    {
        ReadOnlySpan<int> places =
        [
            VcpuGuestContextLayout.Registers + (16 * 8), VcpuGuestContextLayout.EventCallback, VcpuGuestContextLayout.FailsafeCallback,
            VcpuGuestContextLayout.SyscallCallback, VcpuGuestContextLayout.FsBase, VcpuGuestContextLayout.GsBaseKernel, VcpuGuestContextLayout.GsBaseUser,
            VcpuGuestContextLayout.TrapTable + 8, VcpuGuestContextLayout.TrapTable + (14 * 16) + 8, VcpuGuestContextLayout.TrapTable + (255 * 16) + 8,
        ];
        ReadOnlySpan<ulong> addresses = [NotCanonical, 0xFFFF_7FFF_FFFF_FFFF, 1UL << 63, 0x7FFF_FFFF_FFFF_FFFF];
        for (int place = 0; place < places.Length; place++)
        {
            for (int i = 0; i < addresses.Length; i++)
            {
                Fill();
                Word(places[place]) = addresses[i];
                Refused("an address that is none"u8, (ulong)places[place]);
            }
        }

        ReadOnlySpan<ulong> tables = [Hypervisor, NotCanonical, 0xFFFF_8000_0000_0000, 0xFFFF_87FF_FFFF_FFF8];
        for (int i = 0; i < tables.Length; i++)
        {
            Fill();
            Word(VcpuGuestContextLayout.LdtBase) = tables[i];
            Word(VcpuGuestContextLayout.LdtEntries) = 512;
            Refused("local descriptors in the hypervisor, or nowhere"u8, tables[i]);
        }

        ReadOnlySpan<ulong> counts = [8193, 0xFFFF, 0x7FFF_FFFF, 1UL << 61, ulong.MaxValue];
        for (int i = 0; i < counts.Length; i++)
        {
            Fill();
            Word(VcpuGuestContextLayout.LdtBase) = (ulong)s_stack;
            Word(VcpuGuestContextLayout.LdtEntries) = counts[i];
            Refused("so many local descriptors"u8, counts[i]);
            Fill();
            Word(VcpuGuestContextLayout.GdtEntries) = counts[i];
            Refused("so many descriptors"u8, counts[i]);
        }
    }

    /// <summary>The context itself where the guest cannot read, or where it ends.</summary>
    private static void Contexts()
    {
        byte* end = Memory.TakePage();
        byte* behind = Memory.TakePage();
        Xen.UpdateVaMapping((ulong)behind, 0);
        ReadOnlySpan<ulong> places =
        [
            0, 0x10, Hypervisor, NotCanonical, 0xFFFF_7FFF_FFFF_F000, 0xFFFF_87FF_FFFF_FFF8, ulong.MaxValue, ulong.MaxValue - VcpuGuestContextLayout.Bytes + 1,
            (ulong)behind, (ulong)end, (ulong)behind - VcpuGuestContextLayout.Bytes + 8,
        ];
        for (int i = 0; i < places.Length; i++)
        {
            Report.Check(Xen.Call(HypercallNumber.VcpuOp, Initialize, s_next, places[i]) < 0, "a context from there"u8);
        }

        PageTables.MakeWritable(behind);
    }

    /// <summary>The page that a vcpu shares with the hypervisor: others' frames, and places that are not aligned or that reach past the page.</summary>
    private static void Places()
    {
        ulong* place = stackalloc ulong[2];
        for (int i = 0; i < Neighbour.FrameCount; i++)
        {
            place[0] = Neighbour.Frame(i);
            place[1] = 0;
            Report.Check(Xen.Call(HypercallNumber.VcpuOp, RegisterInfo, s_next, (ulong)place) < 0, "the victim's page for a vcpu"u8);
        }

        ReadOnlySpan<ulong> offsets = [1, 3, 4033, 4040, 4095, 4096, 0x7FFF_FFFF, 0xFFFF_FFC0, 0xFFFF_FFFF];
        for (int i = 0; i < offsets.Length; i++)
        {
            place[0] = Memory.Frame(s_stack);
            place[1] = offsets[i];
            Report.Check(Xen.Call(HypercallNumber.VcpuOp, RegisterInfo, s_next, (ulong)place) < 0, "a place that is none"u8);
        }

        place[0] = Memory.Frame(Memory.Root);
        place[1] = 0x880;
        Report.Check(Xen.Call(HypercallNumber.VcpuOp, RegisterInfo, s_next, (ulong)place) < 0, "a table for a vcpu"u8);
    }

    /// <summary>Selectors and flags of the hypervisor: taken or not, the vcpu runs without privilege or not at all.</summary>
    private static void Privileges()
    {
        ReadOnlySpan<ulong> code = [0xE008, 0xE00B, 0xE010, 0xE018, 0xE030, 0xE040, 0xE043, 0xE050, 0, 8, 0xF, 0xFFFB, 0x1_E008];
        for (int i = 0; i < code.Length; i++)
        {
            Fill();
            Register(17) = code[i];
            Run(code[i]);
        }

        ReadOnlySpan<ulong> stack = [0xE008, 0xE010, 0xE018, 0xE028, 0xE040, 0, 7, 0x1_E010];
        for (int i = 0; i < stack.Length; i++)
        {
            Fill();
            Register(20) = stack[i];
            Word(VcpuGuestContextLayout.KernelSs) = stack[i];
            Run(stack[i]);
        }

        ReadOnlySpan<ulong> flags = [HiddenFlags, ~0x1_0100UL, 0];
        for (int i = 0; i < flags.Length; i++)
        {
            Fill();
            Register(18) = flags[i];
            Run(flags[i]);
        }
    }

    private static void Run(ulong subject)
    {
        *s_found = new Found { Code = 0, Stack = 0, Flags = 0, Outcome = 0 };
        if (Begin() != 0)
        {
            return;
        }

        bool isSound = Report.Result(Xen.Call(HypercallNumber.VcpuOp, Up, s_next), XenError.None, "the vcpu comes up"u8);
        for (int i = 0; i < Looks && (Volatile.Read(ref s_found->Outcome) == 0 || Xen.Call(HypercallNumber.VcpuOp, IsUp, s_next) != 0); i++)
        {
            Xen.Call(HypercallNumber.SchedOp, 0);
        }

        isSound &= Report.Check(s_found->Outcome != 0, "the vcpu has run or was stopped by its fault"u8);
        if (s_found->Outcome != Ran)
        {
            s_faults++;
        }
        else
        {
            s_runs++;
            isSound &= Report.Same(s_found->Code & s_found->Stack & 3, 3, "privilege of a vcpu that begins"u8);
            isSound &= Report.Same(s_found->Flags & (HiddenFlags | 0x200), 0x200, "the flags of a vcpu that begins"u8);
        }

        if (!isSound)
        {
            Report.Note("the selector or the flags were"u8, subject);
        }

        s_next++;
    }

    /// <summary>Two vcpus begin the same third one: one of them succeeds.</summary>
    private static void Race()
    {
        if (!SecondVcpu.TryStart())
        {
            Report.Error("no second vcpu"u8);
        }

        Fill();
        SecondVcpu.BeginRoutine(&BeginToo);
        ulong here = 0;
        for (int i = 0; i < Races; i++)
        {
            here += Begin() == 0 ? 1UL : 0;
        }

        here += SecondVcpu.End();
        Report.Same(here, 1, "how often a vcpu was begun"u8);
    }

    private static ulong BeginToo(uint* stop)
    {
        ulong successes = 0;
        while (Volatile.Read(ref *stop) == 0)
        {
            successes += Begin() == 0 ? 1UL : 0;
        }

        return successes;
    }

    /// <summary>Where the hypervisor is to write a vcpu's times: not to its own memory, nor to what the victim only shows.</summary>
    private static void Areas()
    {
        ulong* shown = (ulong*)Memory.TakePage();
        Report.Same((ushort)Grants.Map(Neighbour.Victim, (uint)Neighbour.Letter.ShownReference, shown, GrantMapFlags.ReadOnly, out uint handle), 0, "a page that is shown"u8);
        ulong content = shown[0];
        ReadOnlySpan<ulong> vcpus = [0, 1, s_next];
        ReadOnlySpan<ulong> refused = [Hypervisor, NotCanonical, 0xFFFF_8000_0000_0000, 0xFFFF_7FFF_FFFF_FFF8, 0xFFFF_87FF_FFFF_FFF8, ulong.MaxValue - 7];
        for (int i = 0; i < vcpus.Length; i++)
        {
            for (int place = 0; place < refused.Length; place++)
            {
                ulong area = refused[place];
                Report.Check(Xen.Call(HypercallNumber.VcpuOp, RegisterRunstate, vcpus[i], (ulong)(&area)) < 0, "an account in the hypervisor or nowhere"u8);
                Report.Check(Xen.Call(HypercallNumber.VcpuOp, RegisterTime, vcpus[i], (ulong)(&area)) < 0, "a clock in the hypervisor or nowhere"u8);
            }

            ulong foreign = (ulong)shown;
            Xen.Call(HypercallNumber.VcpuOp, RegisterRunstate, vcpus[i], (ulong)(&foreign));
            Xen.Call(HypercallNumber.VcpuOp, RegisterTime, vcpus[i], (ulong)(&foreign));
            Xen.Call(HypercallNumber.SchedOp, 0);
            Report.Same(Volatile.Read(ref shown[0]), content, "the page that is shown"u8);
            ulong own = (ulong)s_stack;
            Xen.Call(HypercallNumber.VcpuOp, RegisterRunstate, vcpus[i], (ulong)(&own));
            own += 64;
            Xen.Call(HypercallNumber.VcpuOp, RegisterTime, vcpus[i], (ulong)(&own));
        }

        Report.Same((ushort)Grants.Unmap(handle, shown), 0, "its end"u8);
    }

    /// <summary>What a vcpu found itself to be, and how that came out: 1 it ran, 2 it met a fault, 3 the failsafe callback.</summary>
    private struct Found
    {
        internal uint Code;
        internal uint Stack;
        internal ulong Flags;
        internal uint Outcome;
    }
}
