// Makes calls up.
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>One vcpu's dice, and space for the arguments of a step. Calls that would be the domain's own end are left out.</summary>
internal unsafe partial struct RandomCalls
{
    private const int SpacePages = 2;

    private ulong _state;
    private byte* _space;
    private int _used;

    /// <summary>Calls that were made.</summary>
    internal ulong Calls;

    /// <summary>Of these, calls or lists that gave no error.</summary>
    internal ulong Successes;

    internal void Start(ulong seed)
    {
        _state = (seed * 0x9E37_79B9_7F4A_7C15) + 1;
        _space = Memory.TakePage();
        for (int i = 1; i < SpacePages; i++)
        {
            Memory.TakePage();
        }
    }

    internal void Begin() => _used = 0;

    internal void Note(long result) => Successes += result >= 0 ? 1UL : 0;

    internal ulong Next()
    {
        _state ^= _state << 13;
        _state ^= _state >> 7;
        _state ^= _state << 17;
        return _state * 0x2545_F491_4F6C_DD1D;
    }

    internal ulong Below(ulong limit) => (Next() >> 33) % limit;

    internal bool OneIn(ulong count) => Below(count) == 0;

    /// <summary>Space for an argument, 8 bytes aligned, gone with the step.</summary>
    internal byte* Space(int bytes)
    {
        byte* space = _space + _used;
        _used += (bytes + 7) & ~7;
        return space;
    }

    /// <summary>An address that may be mapped or not: a page of the pool or a window.</summary>
    internal ulong Address() => OneIn(2) ? RandomPool.PageAddress((int)Below(RandomPool.Pages)) : RandomPool.Window + (Below(RandomPool.Windows) << 12);

    /// <summary>A frame of the pool, or one of others, or none; never one that the guest lives by.</summary>
    internal ulong Frame()
    {
        ulong frame = Below(40) switch
        {
            0 => Neighbour.Frame((int)Below((ulong)Neighbour.FrameCount)),
            1 => Below(0x8000),
            2 => Next() >> (int)Below(60),
            _ => 0,
        };
        return frame == 0 || RandomPool.IsVital(frame) ? RandomPool.Frame((int)Below(RandomPool.Pages)) : frame;
    }

    internal ulong Entry()
    {
        ulong flags = Below(16) switch
        {
            0 => 0,
            1 => Next() & 0xFFF,
            2 => PageTables.Table | PageTables.Large,
            3 => (Next() & 0xFFF0_0000_0000_0000) | PageTables.Table,
            < 8 => PageTables.KernelReadable,
            < 12 => PageTables.KernelWritable,
            _ => PageTables.Table,
        };
        return (OneIn(40) ? Memory.Machine(Memory.Root) : Frame() << 12) | flags;
    }

    /// <summary>Where an entry can stand: in the windows' tables, in the pool, in the root, at its own address there.</summary>
    private ulong EntryPlace()
    {
        ulong command = Below(8) switch { 0 => 1UL, 1 => 2UL, 2 => 3UL, _ => 0UL };
        ulong place = Below(8) switch
        {
            < 4 => (Frame() << 12) + (Below(512) * 8),
            4 => PageTables.EntryMachine(RandomPool.Window, 2) + (Below(8) * 8),
            5 => PageTables.EntryMachine(RandomPool.Window, 3) + (Below(8) * 8),
            6 => Memory.Machine(Memory.Root) + ((300 + Below(8)) * 8),
            _ => PageTables.EntryMachine(RandomPool.Window, 1) + (Below(RandomPool.Windows) * 8),
        };

        // The windows' own tables keep their first entries, so that there are windows.
        bool isKept = place == PageTables.EntryMachine(RandomPool.Window, 2) || place == PageTables.EntryMachine(RandomPool.Window, 3);
        return (isKept ? place + 8 : place) | command;
    }

    private ushort DomainNumber() => Below(8) switch
    {
        0 => Neighbour.Victim,
        1 => (ushort)Below(6),
        2 => (ushort)Next(),
        3 => (ushort)(DomainIds.FirstReserved + Below(6)),
        4 or 5 => Neighbour.Self,
        _ => DomainIds.Self,
    };

    private ulong Pointer() => Below(16) switch
    {
        0 => 0xFFFF_8000_0000_0000 + (Next() >> 20),
        1 => Next(),
        2 => 0,
        3 or 4 => Address(),
        _ => (ulong)Fill(),
    };

    /// <summary>A structure of small and large numbers.</summary>
    private byte* Fill()
    {
        const int Words = 8;
        uint* words = (uint*)Space(Words * 8);
        for (int i = 0; i < Words * 2; i++)
        {
            words[i] = Below(8) switch { 0 => (uint)Next(), 1 => DomainNumber(), 2 => 0, _ => (uint)Below(20) };
        }

        return (byte*)words;
    }

    internal void Make(ref MulticallEntry call)
    {
        call = default;
        ulong dice = Below(100);
        if (dice < 20)
        {
            Set(ref call, HypercallNumber.UpdateVaMapping, Address(), Entry(), Below(8) == 0 ? Next() & 0xFFFF : Below(7));
        }
        else if (dice < 38)
        {
            Updates(ref call);
        }
        else if (dice < 56)
        {
            Extended(ref call);
        }
        else if (dice < 70)
        {
            Grant(ref call);
        }
        else if (dice < 80)
        {
            MemoryCall(ref call);
        }
        else if (dice < 86)
        {
            Set(ref call, HypercallNumber.EventChannelOp, Below(14), Pointer());
        }
        else if (dice < 91)
        {
            Vcpu(ref call);
        }
        else
        {
            Other(ref call);
        }
    }

    private static void Set(ref MulticallEntry call, HypercallNumber number, ulong first = 0, ulong second = 0, ulong third = 0, ulong fourth = 0)
    {
        call.Operation = (ulong)number;
        call.Argument0 = first;
        call.Argument1 = second;
        call.Argument2 = third;
        call.Argument3 = fourth;
    }

    private void Updates(ref MulticallEntry call)
    {
        int count = 1 + (int)Below(4);
        MmuUpdate* list = (MmuUpdate*)Space(count * sizeof(MmuUpdate));
        for (int i = 0; i < count; i++)
        {
            list[i] = new MmuUpdate { Pointer = EntryPlace(), Value = Entry() };
        }

        Set(ref call, HypercallNumber.MmuUpdate, (ulong)list, (ulong)count, OneIn(2) ? 0 : (ulong)Space(8), OneIn(10) ? DomainNumber() : DomainIds.Self);
    }

    private void Extended(ref MulticallEntry call)
    {
        int count = 1 + (int)Below(3);
        MmuExtendedOp* list = (MmuExtendedOp*)Space(count * sizeof(MmuExtendedOp));
        for (int i = 0; i < count; i++)
        {
            MmuExtendedCommand command = (MmuExtendedCommand)Below(21);
            ulong frame = Frame();
            bool endsItself = command == MmuExtendedCommand.NewBasePointer;
            list[i] = new MmuExtendedOp
            {
                Command = (uint)(endsItself ? MmuExtendedCommand.PinL1Table : command),
                Argument1 = command is MmuExtendedCommand.SetLdt or (>= MmuExtendedCommand.TlbFlushLocal and <= MmuExtendedCommand.FlushCache) ? Address() : frame,
                Argument2 = command is MmuExtendedCommand.TlbFlushMulti or MmuExtendedCommand.InvlpgMulti ? Pointer()
                    : command == MmuExtendedCommand.SetLdt ? Below(600) : Frame(),
            };
        }

        Set(ref call, HypercallNumber.MmuExtendedOp, (ulong)list, (ulong)count, OneIn(2) ? 0 : (ulong)Space(8), OneIn(10) ? DomainNumber() : DomainIds.Self);
    }
}
