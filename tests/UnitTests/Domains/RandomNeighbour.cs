// What a domain has to do with others, at random: grants in all forms and event channels.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Domains;

/// <summary>
/// Makes its calls from one vcpu of the domain; the others are a <see cref="RandomGuest"/>'s, whose pages are what it offers. A careful one
/// undoes its mappings as it should, so that nothing of others is left with it at the end.
/// </summary>
internal sealed class RandomNeighbour(TestDomain domain, RandomGuest guest, int vcpu, bool isCareful, Random random)
{
    private const int References = 24;
    private const int FirstSlot = 12;
    private const int Slots = 24;
    private const int HighestId = 5;
    private const uint MostPorts = 200;
    private const int FewPages = 12;

    private readonly GrantUnmap[] _mappings = new GrantUnmap[Slots];
    private readonly bool[] _isMapped = new bool[Slots];
    private bool _inProgress;
    private Action? _after;

    /// <summary>What the last step did.</summary>
    internal string Last { get; private set; } = "";

    internal void Step()
    {
        domain.Enter(vcpu);
        Last = $"domain {domain.Id} ";
        if (!_inProgress)
        {
            Begin();
        }

        _inProgress = !domain.TryStep(out long result);
        Last += _inProgress ? " (interrupted)" : $" = {result}";
        if (!_inProgress && _after is { } after)
        {
            _after = null;
            after();
        }
    }

    /// <summary>Completes what is interrupted, and undoes what is mapped.</summary>
    internal void PutEverythingBack()
    {
        while (_inProgress)
        {
            Step();
        }

        domain.Enter(vcpu);
        for (int slot = 0; slot < Slots; slot++)
        {
            if (_isMapped[slot])
            {
                BeginUnmap(slot);
                Assert.True(domain.TryStep(out long result));
                Assert.Equal(0, result);
                _after!();
                _after = null;
                Assert.False(_isMapped[slot]);
            }
        }
    }

    private void Begin()
    {
        switch (random.Next(20))
        {
            case < 4:
                Offer();
                Map();
                break;
            case < 8: Map(); break;
            case < 11: Unmap(); break;
            case 11: Overwrite(); break;
            case 12: Copy(); break;
            case 13 or 14 when guest.Pool.Count > FewPages: Transfer(); break;
            case 15: Odd(); break;
            default: Event(); break;
        }
    }

    private ushort AnyDomain() => (ushort)random.Next(HighestId);

    private uint AnyReference() => random.Next(12) == 0 ? (uint)random.Next(600) : (uint)random.Next(References);

    private Mfn AnyFrame() => random.Next(20) == 0 || guest.Pool.Count == 0
        ? new Mfn(FakeMachine.FirstUsableFrame + (ulong)random.Next(4096)) : guest.Pool[random.Next(guest.Pool.Count)];

    private void Call(uint operation, ulong count = 1) => domain.Begin(HypercallNumber.GrantTableOp, operation, domain.Arguments, count);

    /// <summary>Fills an entry of the domain's own table, whatever it is in use for. What came by an earlier one is the domain's now.</summary>
    private void Offer()
    {
        if (!domain.Domain.Grants.HasDirectory)
        {
            return;
        }

        uint reference = (uint)random.Next(References);
        ref ulong entry = ref domain.Domain.Grants.EntryAt(reference);
        if ((entry & (GrantEntryFlags.TypeMask | GrantEntryFlags.TransferCompleted)) == (GrantEntryFlags.AcceptTransfer | GrantEntryFlags.TransferCompleted))
        {
            guest.Receive(new Mfn(entry >> 32));
        }

        ulong kind = random.Next(5) switch { 0 => GrantEntryFlags.AcceptTransfer, 1 => GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly, 2 => 0, _ => GrantEntryFlags.PermitAccess };
        entry = kind | ((ulong)AnyDomain() << 16) | (AnyFrame().Value << 32);
        Last += $"offers {entry:X} as {reference}; ";
    }

    private void Map()
    {
        int slot = random.Next(Slots);
        if (isCareful && _isMapped[slot])
        {
            BeginUnmap(slot);
            return;
        }

        uint kind = random.Next(6) switch { 0 => GrantMapFlags.DeviceMap, 1 => GrantMapFlags.DeviceMap | GrantMapFlags.HostMap, _ => GrantMapFlags.HostMap };
        kind |= random.Next(3) == 0 ? GrantMapFlags.ReadOnly : 0;
        bool namesEntry = random.Next(3) == 0;
        kind |= namesEntry ? GrantMapFlags.ContainsPte : 0;
        Mfn table = !isCareful && random.Next(4) == 0 ? AnyFrame() : domain.WindowL1;
        int index = table == domain.WindowL1 ? FirstSlot + slot : random.Next(512);
        ulong address = namesEntry ? TestDomain.EntryAddress(table, index) : TestDomain.Window(FirstSlot + slot);
        domain.Store(0, address);
        domain.Store32(8, kind);
        domain.Store32(12, AnyReference());
        domain.Store32(16, AnyDomain());
        Last += $"maps {domain.Load32(12)} of domain {domain.Load32(16)} at {address:X}, flags {kind:X}";
        Call(0);
        _after = () =>
        {
            if ((short)(domain.Load32(16) >> 16) == 0)
            {
                _isMapped[slot] = true;
                _mappings[slot] = new GrantUnmap
                {
                    HostAddress = (kind & GrantMapFlags.HostMap) != 0 ? address : 0,
                    BusAddress = (kind & GrantMapFlags.DeviceMap) != 0 ? domain.Load(24) : 0,
                    Handle = domain.Load32(20),
                };
            }
        };
    }

    private void Unmap()
    {
        int slot = random.Next(Slots);
        if (isCareful && !_isMapped[slot])
        {
            // What it remembers of an earlier mapping may by now be the name of another one.
            Odd();
            return;
        }

        if (isCareful || random.Next(8) != 0)
        {
            BeginUnmap(slot);
            return;
        }

        domain.Store(0, TestDomain.Window(FirstSlot + slot));
        domain.Store(8, random.Next(2) == 0 ? 0 : AnyFrame().Address.Value);
        domain.Store32(16, (uint)random.Next(Slots * 2));
        Last += $"unmaps handle {domain.Load32(16)} at {TestDomain.Window(FirstSlot + slot):X}";
        Call(random.Next(3) == 0 ? 7u : 1u);
    }

    private void BeginUnmap(int slot)
    {
        GrantUnmap mapping = _mappings[slot];
        domain.Store(0, mapping.HostAddress);
        domain.Store(8, mapping.BusAddress);
        domain.Store32(16, mapping.Handle);
        Last += $"unmaps handle {mapping.Handle} at {mapping.HostAddress:X}";
        Call(1);
        _after = () => _isMapped[slot] &= domain.Load32(20) << 16 != 0;
    }

    /// <summary>The references go with the entry; the handle stays, for good.</summary>
    private void Overwrite()
    {
        int slot = random.Next(Slots);
        ulong entry = random.Next(2) == 0 ? 0 : TestDomain.Entry(AnyFrame(), random.Next(2) == 0 ? TestDomain.ReadWrite : TestDomain.Present);
        if (isCareful && _isMapped[slot])
        {
            BeginUnmap(slot);
            return;
        }

        Last += $"update_va_mapping of {TestDomain.Window(FirstSlot + slot):X} := {entry:X}";
        domain.Begin(HypercallNumber.UpdateVaMapping, TestDomain.Window(FirstSlot + slot), isCareful ? 0 : entry, 2);
    }

    private void Copy()
    {
        uint flags = (uint)random.Next(4);
        domain.Store(0, (flags & GrantCopy.SourceIsReference) != 0 ? AnyReference() : AnyFrame().Value);
        domain.Store32(8, (flags & GrantCopy.SourceIsReference) != 0 ? AnyDomain() : DomainIds.Self);
        domain.Store(16, (flags & GrantCopy.DestinationIsReference) != 0 ? AnyReference() : guest.Harmless().Value);
        domain.Store32(24, (flags & GrantCopy.DestinationIsReference) != 0 ? AnyDomain() : DomainIds.Self);
        domain.Store(32, (uint)random.Next(64) | (flags << 16));
        Last += $"copies {domain.Load(0):X} of {domain.Load32(8)} to {domain.Load(16):X} of {domain.Load32(24)}, flags {flags}";
        Call(5);
    }

    private void Transfer()
    {
        Mfn frame = guest.Harmless();
        domain.Store(0, frame.Value);
        domain.Store32(8, AnyDomain());
        domain.Store32(12, AnyReference());
        Last += $"transfers {frame.Value:X} to {domain.Load32(12)} of domain {domain.Load32(8)}";
        Call(4);
        _after = () =>
        {
            if ((short)domain.Load32(16) == 0)
            {
                guest.GiveAway(frame);
            }
        };
    }

    private void Odd()
    {
        switch (random.Next(3))
        {
            case 0:
                domain.Store32(0, DomainIds.Self);
                domain.Store32(4, isCareful ? 1u : (uint)random.Next(4));
                domain.Store(16, domain.Arguments + 512);
                Last += "setup_table";
                Call(2);
                break;
            case 1:
                domain.Store32(0, AnyReference());
                domain.Store32(4, AnyReference());
                Last += "swap_grant_ref";
                Call(11);
                break;
            default:
                domain.Store32(0, (uint)random.Next(3));
                Last += "set_version";
                Call(8);
                break;
        }
    }

    private void Event()
    {
        uint port = (uint)random.Next(1, 24);
        uint operation = (uint)random.Next(11);
        operation = operation == 2 || (operation == 10 && random.Next(20) != 0) ? 4 : operation;
        operation = operation is 0 or 1 or 6 or 7 && OpenPorts() >= MostPorts ? 3 : operation;
        domain.Store(0, 0);
        domain.Store(8, 0);
        switch (operation)
        {
            case 0:
                domain.Store32(0, AnyDomain());
                domain.Store32(4, port);
                break;
            case 1:
                domain.Store32(0, (uint)random.Next(25));
                domain.Store32(4, (uint)random.Next(2));
                break;
            case 5:
                domain.Store32(0, DomainIds.Self);
                domain.Store32(4, port);
                break;
            case 6:
                domain.Store32(0, DomainIds.Self | ((uint)AnyDomain() << 16));
                break;
            case 7:
                domain.Store32(0, (uint)random.Next(4));
                break;
            case 10:
                domain.Store32(0, DomainIds.Self);
                break;
            default:
                domain.Store32(0, port);
                domain.Store32(4, (uint)random.Next(3));
                break;
        }

        Last += $"event_channel_op {operation} {domain.Load32(0)} {domain.Load32(4)}";
        domain.Begin(HypercallNumber.EventChannelOp, operation, domain.Arguments);
    }

    private uint OpenPorts()
    {
        uint count = 0;
        for (uint port = 1; port < (uint)domain.Domain.Events.Capacity; port++)
        {
            count += domain.Domain.Events.At(port).State != EventChannelState.Free ? 1u : 0;
        }

        return count;
    }
}
