// attack_races: what one vcpu's processor still remembers of a translation, another vcpu's hypercall has already given another use.
using System.Runtime;
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class RacesAttack
{
    private const ulong Window = 0x6000_0000_0000;
    private const ulong Second = Window + 0x1000;
    private const int Rounds = 30;
    private const int Looks = 3000;
    private const int MostLooks = 3_000_000;
    private const int Place = 300;

    private static ulong* s_page;

    [RuntimeExport("guest_attack_races")]
    private static void Main()
    {
        Neighbour.Start();
        Descriptors.Start();
        s_page = (ulong*)Memory.TakePage();
        if (PageTables.AddLive(Window, Memory.Machine(s_page) | PageTables.KernelWritable) != 0 || !SecondVcpu.TryStart())
        {
            Report.Error("no second vcpu"u8);
        }

        // All access to the page is by the window from here on.
        Xen.UpdateVaMapping((ulong)s_page, 0);
        for (int round = 0; round < Rounds; round++)
        {
            BecomesTable();
            BecomesDescriptors();
            ChangesOwner();
        }

        LentPage();
        Neighbour.Finish();
    }

    private static void Lend() => Xen.UpdateVaMapping(Window, Memory.Machine(s_page) | PageTables.KernelWritable, 0);

    /// <summary>The other vcpu writes an entry that maps the victim's memory, before or after the table is checked.</summary>
    private static void BecomesTable()
    {
        ulong entry = (Neighbour.Frame(0) << 12) | PageTables.KernelWritable;
        Lend();
        SecondVcpu.BeginHammer((ulong*)Window + Place, entry);

        // Without a flush: the other vcpu's processor may go on writing as far as the hypervisor lets it.
        Xen.UpdateVaMapping(Window, Memory.Machine(s_page) | PageTables.KernelReadable, 0);
        bool isTable = Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(s_page)) == 0;
        if (isTable)
        {
            StaysEmpty((ulong*)Window + Place, "an entry written into a table in use"u8);
        }

        SecondVcpu.End();
        if (isTable)
        {
            Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(s_page)), XenError.None, "the table's end"u8);
        }
    }

    private static void BecomesDescriptors()
    {
        const ulong CallGate = 0x0000_EC00_E008_0000;
        Lend();
        SecondVcpu.BeginHammer((ulong*)Window + Place, CallGate);
        Xen.UpdateVaMapping(Window, Memory.Machine(s_page) | PageTables.KernelReadable, 0);
        bool isTable = Descriptors.Load(Memory.Frame(s_page), 512) == 0;
        if (isTable)
        {
            StaysEmpty((ulong*)Window + Place, "a gate written into descriptors in use"u8);
        }

        SecondVcpu.End();
        if (isTable)
        {
            Report.Result(Descriptors.Load(Memory.Frame(Descriptors.Table), 512), XenError.None, "the first descriptors again"u8);
        }
    }

    /// <summary>The other vcpu goes on writing to a page that is given up and comes back as new memory.</summary>
    private static void ChangesOwner()
    {
        Lend();
        SecondVcpu.BeginHammer((ulong*)Window + Place, 0xBAD);
        Xen.UpdateVaMapping(Window, 0, 0);
        ulong frame = Memory.Frame(s_page);
        MemoryReservation request = new() { ExtentStart = (ulong)(&frame), ExtentCount = 1, DomainId = DomainIds.Self };
        Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)), 1, "a page is given up"u8);
        frame = ((ulong)s_page - Memory.VirtualBase) >> 12;
        if (!Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&request)), 1, "a new page"u8))
        {
            return;
        }

        Memory.MfnList[((ulong)s_page - Memory.VirtualBase) >> 12] = frame;
        Xen.UpdateVaMapping(Second, (frame << 12) | PageTables.KernelReadable);
        Report.Same(((ulong*)Second)[Place + 1], 0, "a page that was given up is empty"u8);
        StaysEmpty((ulong*)Second + Place, "a write to a page that was given up"u8);
        SecondVcpu.End();
        Xen.UpdateVaMapping(Second, 0);
    }

    /// <summary>The other vcpu reads what the victim showed, takes back, and uses for its secrets.</summary>
    private static void LentPage()
    {
        ulong* window = (ulong*)Memory.TakePage();
        Report.Same((ushort)Grants.Map(Neighbour.Victim, (uint)Neighbour.Letter.ShownReference, window, GrantMapFlags.ReadOnly, out uint handle), 0, "a page that is shown"u8);
        Report.Same(Neighbour.Ask(Letter.TakeBack), Letter.StillInUse, "it cannot be taken back while it is mapped"u8);
        SecondVcpu.BeginWatch(window, VictimState.Secret);
        Report.Same((ushort)Grants.Unmap(handle, window), 0, "it is not mapped"u8);
        Report.Same(Neighbour.Ask(Letter.TakeBack), Letter.TakenBack, "it is taken back"u8);
        for (int i = 0; i < Looks && SecondVcpu.IsBusy; i++)
        {
            Xen.Call(HypercallNumber.XenVersion);
        }

        Report.Same(SecondVcpu.End(), 0, "the secret was seen"u8);
    }

    /// <summary>Looks until the other vcpu has met the end of its right to write there, which is when its processor has forgotten the old one.</summary>
    private static void StaysEmpty(ulong* at, ReadOnlySpan<byte> what)
    {
        ulong count = Volatile.Read(ref at[1]);
        for (int i = 0; i < MostLooks; i++)
        {
            bool isBusy = SecondVcpu.IsBusy;
            if (!Report.Same(Volatile.Read(ref at[0]), 0, what) || !Report.Same(Volatile.Read(ref at[1]), count, what) || !isBusy)
            {
                return;
            }
        }
    }
}
