// Makes calls up: grants, memory, vcpus, and the rest.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal unsafe partial struct RandomCalls
{
    private const int Pages = RandomPool.Pages;

    /// <summary>References from 128 on are the guest's own to play with; below them is what the victim may have offered.</summary>
    private uint Reference() => OneIn(4) ? (uint)Below(64) : 128 + (uint)Below(16);

    private void Grant(ref MulticallEntry call)
    {
        if (OneIn(3))
        {
            ulong flags = Below(6) switch { 0 => 0, 1 => GrantEntryFlags.AcceptTransfer, 2 => GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly, 3 => Next() & 0xFFFF, _ => GrantEntryFlags.PermitAccess };
            Volatile.Write(ref Grants.Table[128 + Below(16)], flags | ((ulong)DomainNumber() << 16) | (Frame() << 32));
        }

        switch (Below(8))
        {
            case 0 or 1:
                GrantMap* map = (GrantMap*)RandomPool.HandleSlot((int)Below(RandomPool.Handles) * 4);
                *map = new GrantMap
                {
                    HostAddress = OneIn(3) ? EntryPlace() & ~7UL : Address(),
                    Flags = (uint)(OneIn(8) ? Next() : 2 | Below(32)),
                    Reference = Reference(),
                    DomainId = OneIn(2) ? Neighbour.Self : DomainNumber(),
                };
                Set(ref call, HypercallNumber.GrantTableOp, 0, (ulong)map, 1);
                break;
            case 2 or 3:
                GrantMap* mapped = (GrantMap*)RandomPool.HandleSlot((int)Below(RandomPool.Handles) * 4);
                GrantUnmap* end = (GrantUnmap*)Space(sizeof(GrantUnmap));
                *end = new GrantUnmap
                {
                    HostAddress = OneIn(8) ? Address() : mapped->HostAddress,
                    BusAddress = OneIn(2) ? 0 : mapped->BusAddress,
                    Handle = OneIn(8) ? (uint)Below(64) : mapped->Handle,
                };

                // Handle 0 is the letter from the victim.
                end->Handle = end->Handle == 0 ? 1 : end->Handle;
                Set(ref call, HypercallNumber.GrantTableOp, OneIn(5) ? 7u : 1u, (ulong)end, 1);
                break;
            case 4:
                GrantTransfer* transfer = (GrantTransfer*)Space(sizeof(GrantTransfer));
                *transfer = new GrantTransfer { Frame = Frame(), DomainId = DomainNumber(), Reference = Reference() };
                Set(ref call, HypercallNumber.GrantTableOp, 4, (ulong)transfer, 1);
                break;
            case 5 or 6:
                GrantCopy* copy = (GrantCopy*)Space(sizeof(GrantCopy));
                *copy = new GrantCopy
                {
                    Source = new GrantCopySide { Page = OneIn(2) ? Reference() : Frame(), DomainId = DomainNumber(), Offset = (ushort)Below(4200) },
                    Destination = new GrantCopySide { Page = OneIn(2) ? 128 + Below(16) : Frame(), DomainId = OneIn(2) ? DomainIds.Self : Neighbour.Self, Offset = (ushort)Below(4200) },
                    Length = (ushort)Below(4200),
                    Flags = (ushort)Below(4),
                };
                Set(ref call, HypercallNumber.GrantTableOp, 5, (ulong)copy, 1);
                break;
            default:
                ulong operation = Below(13);
                Set(ref call, HypercallNumber.GrantTableOp, operation is 0 or 1 or 5 or 11 ? 6 : operation, Pointer(), 1);
                break;
        }
    }

    private void MemoryCall(ref MulticallEntry call)
    {
        int first = (int)Below(Pages - 4);
        MemoryReservation list = new()
        {
            ExtentStart = (ulong)RandomPool.FrameSlot(first),
            ExtentCount = 1 + Below(4),
            ExtentOrder = OneIn(12) ? (uint)Below(12) : 0,
            MemoryFlags = OneIn(8) ? (uint)Below(64) : 0,
            DomainId = OneIn(8) ? DomainNumber() : DomainIds.Self,
        };
        switch (Below(5))
        {
            case 0 or 1:
                MemoryReservation* reservation = (MemoryReservation*)Space(sizeof(MemoryReservation));
                *reservation = list;
                ulong operation = Below(3) switch { 0 => 0, 1 => 1, _ => 6 };

                // Frames come into the list that they go from; more than one at a time would not fit there.
                reservation->ExtentOrder = operation == 1 ? 0 : reservation->ExtentOrder;
                Set(ref call, HypercallNumber.MemoryOp, operation, (ulong)reservation);
                break;
            case 2 or 3:
                MemoryExchange* exchange = (MemoryExchange*)Space(sizeof(MemoryExchange));
                exchange->In = list;
                exchange->Out = list;
                exchange->ExchangedCount = OneIn(6) ? Below(5) : 0;
                if (OneIn(3))
                {
                    exchange->In.ExtentOrder = 0;
                    exchange->In.ExtentCount = 4;
                    exchange->Out.ExtentOrder = 2;
                    exchange->Out.ExtentCount = 1;
                }

                Set(ref call, HypercallNumber.MemoryOp, 11, (ulong)exchange);
                break;
            default:
                ulong other = Below(30);
                Set(ref call, HypercallNumber.MemoryOp, other is 0 or 1 or 6 or 11 ? 2 : other, Pointer());
                break;
        }
    }

    /// <summary>Vcpu 0 stays up; what is written for a vcpu goes to the pool or nowhere.</summary>
    private void Vcpu(ref MulticallEntry call)
    {
        ulong vcpu = OneIn(4) ? Next() & 0x3F : Below(2);
        ulong operation = Below(15);
        ulong* argument = (ulong*)Space(16);
        argument[0] = operation is 5 or 13 ? Address() : Below(3) switch { 0 => Next(), 1 => 1_000_000, _ => Timers.Now + Below(10_000_000) };
        argument[1] = 0;
        if (operation is 10 or 11 || (operation == 2 && vcpu != 1))
        {
            operation = 3;
        }

        Set(ref call, HypercallNumber.VcpuOp, operation, vcpu, operation == 4 ? Address() : (ulong)argument);
    }

    private void Other(ref MulticallEntry call)
    {
        switch (Below(14))
        {
            case 0:
                // Its answers are long: among the arguments of a list they would make calls of their own.
                Set(ref call, HypercallNumber.XenVersion, Below(14), OneIn(2) ? Address() : Next());
                break;
            case 1:
                Set(ref call, HypercallNumber.SchedOp, 0);
                break;
            case 2:
                ulong* poll = (ulong*)Space(24);
                poll[0] = Pointer();
                poll[1] = Below(4);
                poll[2] = 1;
                Set(ref call, HypercallNumber.SchedOp, 3, (ulong)poll);
                break;
            case 3:
                Set(ref call, HypercallNumber.SchedOp, 4, Pointer());
                break;
            case 4:
                Set(ref call, HypercallNumber.PhysdevOp, Below(40), Pointer());
                break;
            case 5:
                Set(ref call, Below(4) switch { 0 => HypercallNumber.PlatformOp, 1 => HypercallNumber.Domctl, 2 => HypercallNumber.Sysctl, _ => HypercallNumber.XsmOp }, Pointer());
                break;
            case 6:
                Set(ref call, HypercallNumber.VmAssist, 0, Below(6));
                break;
            case 7:
                // Breakpoints stay off: what they would meet is the guest's own loop.
                ulong register = Below(9);
                Set(ref call, HypercallNumber.SetDebugReg, register is 5 or 7 ? 6 : register, OneIn(2) ? Address() : Next());
                break;
            case 8:
                Set(ref call, HypercallNumber.GetDebugReg, Below(9));
                break;
            case 9:
                Set(ref call, HypercallNumber.SetSegmentBase, Below(3), OneIn(2) ? Address() : Next());
                break;
            case 10:
                Set(ref call, HypercallNumber.UpdateDescriptor, (Frame() << 12) + (Below(512) * 8), OneIn(2) ? Next() : Descriptors.Data);
                break;
            case 11:
                ulong* frames = (ulong*)Space(128);
                for (int i = 0; i < 16; i++)
                {
                    frames[i] = Frame();
                }

                Set(ref call, HypercallNumber.SetGdt, (ulong)frames, Below(1200));
                break;
            case 12:
                Set(ref call, HypercallNumber.UpdateVaMappingOtherDomain, Address(), Entry(), Below(3), DomainNumber());
                break;
            default:
                ulong number = Below(56);
                bool endsItself = number is 0 or 2 or 3 or 5 or 18 or 23 or 24 or 26 or 29 or 30 or 1 or 12 or 13 or 20;
                Set(ref call, endsItself ? HypercallNumber.XenVersion : (HypercallNumber)number, Below(8), 0, 0);
                break;
        }
    }
}
