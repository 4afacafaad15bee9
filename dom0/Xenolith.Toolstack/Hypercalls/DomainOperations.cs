// Life and settings of domains.
using System.Text;
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Operations on one domain, by number, and lists of them.</summary>
public sealed class DomainOperations
{
    private const int ListedAtOnce = 128;

    private readonly Caller _caller;
    private readonly MachineOperations _machine;

    internal DomainOperations(Caller caller, MachineOperations machine)
    {
        _caller = caller;
        _machine = machine;
    }

    /// <summary>Makes a domain without vcpus and memory, paused once.</summary>
    /// <returns>Its number.</returns>
    public ushort Create(DomainSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaximumVcpus, 1, nameof(settings));
        const string Operation = "createdomain";
        CreateDomain arguments = settings.ToAbi(settings.GrantVersion ?? _machine.HighestGrantVersion);
        ushort domain = settings.Id ?? 0;
        XenError error = _caller.TryDomctl(DomctlCommand.CreateDomain, ref domain, ref arguments);
        return error switch
        {
            XenError.None => domain,
            XenError.Exists => throw XenException.For(Operation, error, settings.Id, "the number is taken", "Leave the choice to the hypervisor."),
            XenError.Invalid => throw XenException.For(Operation, error, null, "the hypervisor does not allow these limits", "Ask for fewer vcpus, event channels or grant frames."),
            XenError.NoMemory => throw XenException.For(Operation, error, null, "the hypervisor has no memory or no number left for another domain", "End one first."),
            _ => throw XenException.For(Operation, error),
        };
    }

    /// <summary>Ends a domain and frees its memory; takes longer the more memory it has. What others still hold of it is freed when they let go.</summary>
    public void Destroy(ushort domain) => _caller.Domctl(DomctlCommand.DestroyDomain, "destroydomain", domain);

    /// <summary>Stops all its vcpus once more; returns when none of them runs.</summary>
    public void Pause(ushort domain) => _caller.Domctl(DomctlCommand.PauseDomain, "pausedomain", domain);

    /// <summary>Undoes one <see cref="Pause"/>.</summary>
    /// <exception cref="XenException">The domain is not paused.</exception>
    public void Unpause(ushort domain)
    {
        ushort id = domain;
        ulong none = 0;
        XenError error = _caller.TryDomctl(DomctlCommand.UnpauseDomain, ref id, ref none);
        if (error == XenError.Invalid)
        {
            throw XenException.For("unpausedomain", error, domain, "it is not paused, or not complete yet", "There is nothing to undo.");
        }

        Require("unpausedomain", error, domain);
    }

    /// <summary>Lets a domain run on that has suspended itself.</summary>
    public void Resume(ushort domain) => _caller.Domctl(DomctlCommand.ResumeDomain, "resumedomain", domain);

    /// <summary>Shuts a domain down without asking its kernel.</summary>
    public void ForceShutdown(ushort domain, ShutdownReason reason)
        => _caller.Call(HypercallNumber.SchedOp, (ulong)SchedulerCommand.RemoteShutdown, "remote_shutdown", new RemoteShutdown { DomainId = domain, Reason = (uint)reason }, domain);

    /// <summary>The name of a domain that was started with the machine; null where it has none, and on real Xen, which starts none.</summary>
    public string? GetName(ushort domain)
    {
        ushort id = domain;
        DomainName name = default;
        XenError error = _caller.TryDomctl(DomctlCommand.GetDomainName, ref id, ref name);
        ReadOnlySpan<byte> text = name;
        int end = text.IndexOf((byte)0);
        return error == XenError.None && end > 0 ? Encoding.UTF8.GetString(text[..end]) : null;
    }

    /// <summary>What is known of a domain; null when there is none of that number.</summary>
    public DomainInformation? Find(ushort domain)
    {
        ushort found = domain;
        DomainInfo info = default;
        XenError error = _caller.TryDomctl(DomctlCommand.GetDomainInfo, ref found, ref info);

        // The hypervisor answers with the first domain from that number on.
        if (error == XenError.NoSuchDomain || (error == XenError.None && info.Domain != domain))
        {
            return null;
        }

        Require("getdomaininfo", error, domain);
        return DomainInformation.From(in info);
    }

    /// <summary>What is known of a domain.</summary>
    /// <exception cref="NoSuchDomainException">There is none of that number.</exception>
    public DomainInformation Get(ushort domain) => Find(domain) ?? throw new NoSuchDomainException("getdomaininfo", domain);

    /// <summary>All domains, by ascending number.</summary>
    public IReadOnlyList<DomainInformation> List()
    {
        List<DomainInformation> all = [];
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<DomainInfo>(ListedAtOnce));
        ushort first = 0;
        while (true)
        {
            DomainInfoList list = new() { First = first, Maximum = ListedAtOnce, Buffer = buffer.Address };
            int count = (int)_caller.Sysctl(SysctlCommand.GetDomainInfoList, "getdomaininfolist", list).Count;
            foreach (ref readonly DomainInfo info in buffer.As<DomainInfo>()[..count])
            {
                all.Add(DomainInformation.From(in info));
            }

            if (count < ListedAtOnce)
            {
                return all;
            }

            first = (ushort)(all[^1].Id + 1);
        }
    }

    /// <summary>Makes the vcpus; the number is that of <see cref="DomainSettings.MaximumVcpus"/>.</summary>
    public void MakeVcpus(ushort domain, int count) => _caller.Domctl(DomctlCommand.MaximumVcpus, "max_vcpus", domain, (uint)count);

    /// <summary>Sets how much memory it may have; it keeps what it has.</summary>
    /// <param name="domain">Its number.</param>
    /// <param name="kibibytes">The limit in KiB.</param>
    public void SetMaximumMemory(ushort domain, ulong kibibytes) => _caller.Domctl(DomctlCommand.MaximumMemory, "max_mem", domain, kibibytes);

    /// <summary>Gives it another UUID.</summary>
    public void SetUuid(ushort domain, Guid uuid)
    {
        DomainHandle handle = default;
        uuid.TryWriteBytes(handle, bigEndian: true, out _);
        _caller.Domctl(DomctlCommand.SetDomainHandle, "setdomainhandle", domain, handle);
    }

    /// <summary>Width of its addresses; a PV domain of today has 64.</summary>
    public void SetAddressSize(ushort domain, int bits) => _caller.Domctl(DomctlCommand.SetAddressSize, "set_address_size", domain, (uint)bits);

    /// <summary>Width of its addresses in bits.</summary>
    public int GetAddressSize(ushort domain) => (int)_caller.Domctl(DomctlCommand.GetAddressSize, "get_address_size", domain, 0U);

    /// <summary>Moves the domain's wall clock against the machine's.</summary>
    public void SetTimeOffset(ushort domain, TimeSpan offset) => _caller.Domctl(DomctlCommand.SetTimeOffset, "settimeoffset", domain, (long)offset.TotalSeconds);

    /// <summary>How it sees the time-stamp counter.</summary>
    public void SetTscMode(ushort domain, TscMode mode) => _caller.Domctl(DomctlCommand.SetTscInfo, "settscinfo", domain, new TscInfo { Mode = (uint)mode });

    /// <summary>How it sees the time-stamp counter.</summary>
    public TscMode GetTscMode(ushort domain) => (TscMode)_caller.Domctl(DomctlCommand.GetTscInfo, "gettscinfo", domain, default(TscInfo)).Mode;

    /// <summary>Fills one of its pages with the code that makes hypercalls, for kernels that ask for it.</summary>
    public void FillHypercallPage(ushort domain, ulong frame) => _caller.Domctl(DomctlCommand.HypercallInit, "hypercall_init", domain, frame);

    /// <summary>Has the hypervisor check a root page table and keep it one.</summary>
    /// <exception cref="XenException">The tables break the rules for page tables, or one of them is still mapped writable.</exception>
    public void PinRootTable(ushort domain, ulong frame)
    {
        const string Operation = "pinning of the page tables";
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<MmuExtendedOp>());
        buffer.Write(0, new MmuExtendedOp { Command = (uint)MmuExtendedCommand.PinL4Table, Argument1 = frame });
        XenError error = Caller.ErrorOf(_caller.Hypervisor.Call(HypercallNumber.MmuExtendedOp, buffer.Address, 1, 0, domain));
        if (error == XenError.Invalid)
        {
            throw XenException.For(Operation, error, domain, "the hypervisor refuses its page tables", "The kernel's image asks for addresses that it cannot have; use another kernel.");
        }

        Require(Operation, error, domain);
    }

    /// <summary>Makes an event channel in the domain that another one can connect to.</summary>
    /// <returns>The domain's port.</returns>
    public uint AllocatePort(ushort domain, ushort remote)
        => _caller.Call(HypercallNumber.EventChannelOp, (ulong)EventChannelCommand.AllocateUnbound, "alloc_unbound", new AllocateUnboundPort { DomainId = domain, RemoteDomainId = remote }, domain).Port;

    /// <summary>When the domain suspends itself, this port of it is notified instead of a <see cref="VirtualIrq.DomainException"/>.</summary>
    public void SubscribeToSuspend(ushort domain, uint port) => _caller.Domctl(DomctlCommand.Subscribe, "subscribe", domain, port);

    /// <summary>Raises a trigger (0: a non-maskable interrupt) on a vcpu.</summary>
    public void SendTrigger(ushort domain, uint trigger, int vcpu) => _caller.Domctl(DomctlCommand.SendTrigger, "sendtrigger", domain, trigger | ((ulong)vcpu << 32));

    private static void Require(string operation, XenError error, ushort domain)
    {
        if (error != XenError.None)
        {
            throw XenException.For(operation, error, domain);
        }
    }
}

/// <summary>How a domain sees the time-stamp counter (XEN_CPUID_TSC_MODE_*).</summary>
public enum TscMode : uint
{
    /// <summary>Natively where that is reliable, emulated otherwise.</summary>
    Default = 0,

    /// <summary>Always emulated.</summary>
    AlwaysEmulated = 1,

    /// <summary>Always the processor's own.</summary>
    Native = 2,
}
