// domctl: the state of a vcpu beyond its registers.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Callbacks of 32-bit programs, XSAVE state, model-specific registers. All can fail with Fault, and with NoSuchDomain (no such vcpu).</summary>
internal static class VcpuStateOperations
{
    private const uint ExtendedContextBytes = 64;
    private const ulong XsaveHeadBytes = 16;
    private const ulong LeastXsaveBytes = 576;
    private const ulong StateAlways = 1;

    /// <summary>Errors: Invalid (addresses that are none, or an unknown form).</summary>
    internal static XenError SetExtendedContext(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ExtendedVcpuContext state))
        {
            return XenError.Fault;
        }

        int index = control.Domain.VcpuIndex(state.Vcpu);
        if (index < 0)
        {
            return XenError.NoSuchDomain;
        }

        if (state.Bytes > ExtendedContextBytes || !GuestAddress.IsCanonical(state.Syscall32Callback) || !GuestAddress.IsCanonical(state.SysenterCallback))
        {
            return XenError.Invalid;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        vcpu.Traps.Syscall32Callback = state.Syscall32Callback;
        vcpu.Traps.Syscall32MasksEvents = state.Syscall32MasksEvents != 0;
        vcpu.Traps.SysenterCallback = state.SysenterCallback;
        return XenError.None;
    }

    internal static XenError GetExtendedContext(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint id))
        {
            return XenError.Fault;
        }

        int index = control.Domain.VcpuIndex(id);
        if (index < 0)
        {
            return XenError.NoSuchDomain;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        ExtendedVcpuContext state = new()
        {
            Vcpu = id,
            Bytes = ExtendedContextBytes,
            Syscall32Callback = vcpu.Traps.Syscall32Callback,
            SysenterCallback = vcpu.Traps.SysenterCallback,
            Syscall32MasksEvents = vcpu.Traps.Syscall32MasksEvents ? (byte)1 : (byte)0,
        };
        return GuestMemory.TryWrite(at, in state) ? XenError.None : XenError.Fault;
    }

    /// <summary>A null buffer asks for mask and size, both 0 without XSAVE. Error: Invalid (another mask or size).</summary>
    internal static XenError GetExtendedState(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out VcpuExtendedState request))
        {
            return XenError.Fault;
        }

        int index = control.Domain.VcpuIndex(request.Vcpu);
        if (index < 0)
        {
            return XenError.NoSuchDomain;
        }

        ulong mask = CpuFeatures.XsaveMask;
        ulong size = mask == 0 ? 0 : XsaveHeadBytes + (ulong)Fpu.AreaBytes;
        if (request.Buffer == 0)
        {
            request.FeatureMask = mask;
            request.Bytes = size;
            return GuestMemory.TryWrite(at, in request) ? XenError.None : XenError.Fault;
        }

        if (mask == 0 || request.FeatureMask != mask || request.Bytes != size)
        {
            return XenError.Invalid;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        Scheduler.Store(ref vcpu);
        Fpu.StoreKept(vcpu.FpuArea, in vcpu.Context.Kept);
        GuestAddress buffer = new(request.Buffer);
        bool done = GuestMemory.TryWrite(buffer, vcpu.Traps.Xcr0) && GuestMemory.TryWrite(buffer.Add(8), vcpu.Traps.Xcr0)
            && GuestMemory.TryCopyTo(buffer.Add(XsaveHeadBytes), PhysicalMemory.Bytes(vcpu.FpuArea).Slice(0, Fpu.AreaBytes));
        return done ? XenError.None : XenError.Fault;
    }

    /// <summary>Errors: Invalid (the caller's own domain, sizes, state that guests may not have), NotSupported (no XSAVE).</summary>
    internal static XenError SetExtendedState(ref HypercallCall call, DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out VcpuExtendedState request))
        {
            return XenError.Fault;
        }

        ref Domain domain = ref control.Domain;
        int index = domain.VcpuIndex(request.Vcpu);
        if (index < 0)
        {
            return XenError.NoSuchDomain;
        }

        if (!CpuFeatures.HasXsave)
        {
            return XenError.NotSupported;
        }

        GuestAddress buffer = new(request.Buffer);
        bool fits = request.Bytes >= XsaveHeadBytes + LeastXsaveBytes && request.Bytes <= XsaveHeadBytes + (ulong)Fpu.AreaBytes;
        if (!fits || domain.Id == call.Domain.Id)
        {
            return XenError.Invalid;
        }

        if (!GuestMemory.TryRead(buffer, out ulong xcr0))
        {
            return XenError.Fault;
        }

        if ((xcr0 & StateAlways) == 0 || (xcr0 & ~CpuFeatures.XsaveMask) != 0)
        {
            return XenError.Invalid;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        if (!VcpuContextOperations.TryHold(ref vcpu, ref domain))
        {
            return XenError.NoSuchDomain;
        }

        Fpu.Initialize(vcpu.FpuArea);
        Span<byte> area = PhysicalMemory.Bytes(vcpu.FpuArea).Slice(0, (int)(request.Bytes - XsaveHeadBytes));
        bool copied = GuestMemory.TryCopyFrom(buffer.Add(XsaveHeadBytes), area);
        bool isGood = Fpu.TryFinishFilled(vcpu.FpuArea);
        vcpu.Traps.Xcr0 = xcr0;
        vcpu.Context.Kept = Fpu.LoadKept(vcpu.FpuArea);
        Scheduler.Unpause(ref vcpu);
        return !copied ? XenError.Fault : isGood ? XenError.None : XenError.Invalid;
    }

    /// <summary>A null list asks for how many there can be. Error: NoBufferSpace.</summary>
    internal static XenError GetMsrs(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out VcpuMsrs request))
        {
            return XenError.Fault;
        }

        int index = control.Domain.VcpuIndex(request.Vcpu);
        if (index < 0)
        {
            return XenError.NoSuchDomain;
        }

        if (request.Buffer == 0)
        {
            request.Count = 1;
            return GuestMemory.TryWrite(at, in request) ? XenError.None : XenError.Fault;
        }

        VcpuMsr entry = new() { Index = (uint)Msr.TscAux, Value = VcpuTable.At(index).Traps.TscAux };
        uint count = entry.Value == 0 ? 0u : 1u;
        if (request.Count < count)
        {
            return XenError.NoBufferSpace;
        }

        request.Count = count;
        bool done = (count == 0 || GuestMemory.TryWrite(new GuestAddress(request.Buffer), in entry)) && GuestMemory.TryWrite(at, in request);
        return done ? XenError.None : XenError.Fault;
    }

    /// <summary>Error: Invalid (a register that is not saved); the count says then how far it came.</summary>
    internal static XenError SetMsrs(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out VcpuMsrs request))
        {
            return XenError.Fault;
        }

        int index = control.Domain.VcpuIndex(request.Vcpu);
        if (index < 0)
        {
            return XenError.NoSuchDomain;
        }

        // More than one entry is an entry too many.
        for (uint i = 0; i < request.Count; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(request.Buffer + (i * 16UL)), out VcpuMsr entry))
            {
                return XenError.Fault;
            }

            if (i > 0 || entry.Reserved != 0 || entry.Index != (uint)Msr.TscAux || entry.Value >> 32 != 0)
            {
                request.Count = i;
                return GuestMemory.TryWrite(at, in request) ? XenError.Invalid : XenError.Fault;
            }

            VcpuTable.At(index).Traps.TscAux = (uint)entry.Value;
        }

        return XenError.None;
    }
}
