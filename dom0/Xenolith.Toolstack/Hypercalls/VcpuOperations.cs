// Virtual processors.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Operations on one vcpu of one domain.</summary>
public sealed class VcpuOperations
{
    private readonly Caller _caller;
    private readonly MachineOperations _machine;

    internal VcpuOperations(Caller caller, MachineOperations machine)
    {
        _caller = caller;
        _machine = machine;
    }

    /// <summary>Sets all registers (struct vcpu_guest_context, <see cref="VcpuGuestContextLayout"/>) of a vcpu that does not run.</summary>
    /// <exception cref="XenException">A register has a value that it cannot have.</exception>
    public void SetContext(ushort domain, int vcpu, ReadOnlySpan<byte> context)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(context.Length, VcpuGuestContextLayout.Bytes, nameof(context));
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(VcpuGuestContextLayout.Bytes);
        context.CopyTo(buffer.Bytes);
        _caller.Domctl(DomctlCommand.SetVcpuContext, "setvcpucontext", domain, new VcpuContextOp { Vcpu = (uint)vcpu, Context = buffer.Address });
    }

    /// <summary>All registers of a vcpu; null when it has never had any.</summary>
    public byte[]? GetContext(ushort domain, int vcpu)
    {
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(VcpuGuestContextLayout.Bytes);
        VcpuContextOp arguments = new() { Vcpu = (uint)vcpu, Context = buffer.Address };
        XenError error = _caller.TryDomctl(DomctlCommand.GetVcpuContext, ref domain, ref arguments);
        return error switch
        {
            XenError.None => buffer.Bytes.ToArray(),
            XenError.NoData => null,
            _ => throw XenException.For("getvcpucontext", error, domain),
        };
    }

    /// <summary>What a vcpu does.</summary>
    public VcpuInformation Get(ushort domain, int vcpu)
    {
        VcpuStatus status = _caller.Domctl(DomctlCommand.GetVcpuInfo, "getvcpuinfo", domain, new VcpuStatus { Vcpu = (uint)vcpu });
        return new VcpuInformation(vcpu, status.Online != 0, status.Blocked != 0, status.Running != 0, TimeSpan.FromTicks((long)(status.ProcessorTime / 100)), (int)status.Processor);
    }

    /// <summary>What a vcpu has caused since its start; null where the hypervisor does not count it (real Xen).</summary>
    public VcpuCounters? GetCounters(ushort domain, int vcpu)
    {
        VcpuCounts counts = new() { Vcpu = (uint)vcpu };
        XenError error = _caller.TryDomctl(DomctlCommand.GetVcpuCounts, ref domain, ref counts);
        return error switch
        {
            XenError.None => new VcpuCounters(TimeSpan.FromTicks((long)(counts.StolenTime / 100)), (long)counts.Hypercalls, (long)counts.PageFaults, (long)counts.Upcalls),
            XenError.NotImplemented or XenError.NotSupported => null,
            _ => throw XenException.For("getvcpucounts", error, domain),
        };
    }

    /// <summary>The processors that a vcpu may use (<paramref name="isHard"/>) or prefers.</summary>
    public IReadOnlyList<int> GetAffinity(ushort domain, int vcpu, bool isHard = true)
    {
        using HypercallBuffer bitmap = RentBitmap(out uint bits);
        _caller.Domctl(DomctlCommand.GetVcpuAffinity, "getvcpuaffinity", domain, Affinity(vcpu, isHard, bitmap, bits));
        return ReadBitmap(bitmap.Bytes, bits);
    }

    /// <summary>Sets the processors that a vcpu may use (<paramref name="isHard"/>) or prefers.</summary>
    /// <returns>What is in force now: those of them that exist.</returns>
    /// <exception cref="XenException">None of them exists.</exception>
    public IReadOnlyList<int> SetAffinity(ushort domain, int vcpu, IEnumerable<int> processors, bool isHard = true)
    {
        ArgumentNullException.ThrowIfNull(processors);
        using HypercallBuffer bitmap = RentBitmap(out uint bits);
        foreach (int processor in processors.Where(processor => (uint)processor < bits))
        {
            bitmap.Bytes[processor / 8] |= (byte)(1 << (processor % 8));
        }

        _caller.Domctl(DomctlCommand.SetVcpuAffinity, "setvcpuaffinity", domain, Affinity(vcpu, isHard, bitmap, bits));
        return ReadBitmap(bitmap.Bytes, bits);
    }

    internal static IReadOnlyList<int> ReadBitmap(ReadOnlySpan<byte> bitmap, uint bits)
    {
        List<int> set = [];
        for (int bit = 0; bit < bits; bit++)
        {
            if ((bitmap[bit / 8] & (1 << (bit % 8))) != 0)
            {
                set.Add(bit);
            }
        }

        return set;
    }

    private static VcpuAffinity Affinity(int vcpu, bool isHard, HypercallBuffer bitmap, uint bits)
    {
        ControlBitmap list = new() { Buffer = bitmap.Address, Bits = bits };
        return new VcpuAffinity
        {
            Vcpu = (uint)vcpu,
            Flags = isHard ? VcpuAffinity.HardFlag : VcpuAffinity.SoftFlag,
            Hard = isHard ? list : default,
            Soft = isHard ? default : list,
        };
    }

    private HypercallBuffer RentBitmap(out uint bits)
    {
        bits = (uint)_machine.HighestProcessor + 1;
        return _caller.Hypervisor.Rent((int)(bits + 7) / 8);
    }
}

/// <summary>One moment of a vcpu's life.</summary>
/// <param name="Vcpu">Its number in the domain.</param>
/// <param name="IsOnline">The domain's kernel has brought it up.</param>
/// <param name="IsBlocked">It waits for events.</param>
/// <param name="IsRunning">It is on a processor.</param>
/// <param name="ProcessorTime">How long it has run.</param>
/// <param name="Processor">The processor that it is on, or was last.</param>
public sealed record VcpuInformation(int Vcpu, bool IsOnline, bool IsBlocked, bool IsRunning, TimeSpan ProcessorTime, int Processor);

/// <summary>What a vcpu has caused since its start.</summary>
/// <param name="StolenTime">How long it could have run but had no processor.</param>
/// <param name="Hypercalls">Hypercalls; a multicall is one, and irets that take the quick path are none.</param>
/// <param name="PageFaults">Page faults that its kernel was given.</param>
/// <param name="Upcalls">Entries into its kernel's event callback.</param>
public sealed record VcpuCounters(TimeSpan StolenTime, long Hypercalls, long PageFaults, long Upcalls);
