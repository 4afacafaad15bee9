// The 64 bytes that a vcpu shares with the hypervisor.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>struct vcpu_info of each vcpu: first in shared_info, later where the guest registers it. The guest writes it at any time.</summary>
internal static class VcpuInfoPage
{
    private const int Bytes = 64;

    /// <summary>Points the vcpu at its slot in shared_info, events masked.</summary>
    internal static void Initialize(ref Vcpu vcpu)
    {
        SetPlace(ref vcpu, vcpu.Domain.SharedInfo, vcpu.Id * Bytes);
        SetMask(ref vcpu, 1);
    }

    internal static ref VcpuInfo Info(ref Vcpu vcpu) => ref PhysicalMemory.At<VcpuInfo>(vcpu.Events.InfoFrame, vcpu.Events.InfoOffset);

    internal static byte GetMask(ref Vcpu vcpu) => Volatile.Read(ref Info(ref vcpu).UpcallMask);

    internal static void SetMask(ref Vcpu vcpu, byte mask) => Volatile.Write(ref Info(ref vcpu).UpcallMask, mask);

    internal static void SetCr2(ref Vcpu vcpu, ulong address) => Volatile.Write(ref Info(ref vcpu).Cr2, address);

    internal static bool IsPending(ref Vcpu vcpu) => Volatile.Read(ref Info(ref vcpu).UpcallPending) != 0;

    internal static bool IsDeliverable(ref Vcpu vcpu) => IsPending(ref vcpu) && GetMask(ref vcpu) == 0;

    /// <summary>Marks an event of the selector's word; true when the vcpu had nothing pending before and must be told.</summary>
    internal static bool MarkPending(ref Vcpu vcpu, int word)
    {
        ref VcpuInfo info = ref Info(ref vcpu);
        ulong bit = 1UL << word;
        if ((Interlocked.Or(ref info.PendingSelector, bit) & bit) != 0)
        {
            return false;
        }

        // In one step: a guest that takes the byte down just before must be told again. It is the first of its word.
        ref ulong first = ref PhysicalMemory.Word(vcpu.Events.InfoFrame, vcpu.Events.InfoOffset >> 3);
        return (Interlocked.Or(ref first, 1) & 0xFF) == 0;
    }

    /// <summary>Whether a vcpu_info can lie at that offset of a page.</summary>
    internal static bool IsPlace(uint offset) => offset <= 4096 - Bytes && (offset & 7) == 0;

    /// <summary>VCPUOP_register_vcpu_info. Errors: NoAddress (offset), Invalid (second time, frame).</summary>
    internal static XenError Register(ref Vcpu vcpu, Mfn frame, uint offset)
    {
        if (!IsPlace(offset))
        {
            return XenError.NoAddress;
        }

        if (vcpu.Events.IsRegistered || PageTypes.TryTakeWritable(ref vcpu.Domain, frame) != XenError.None)
        {
            return XenError.Invalid;
        }

        VcpuInfo old = Info(ref vcpu);
        PhysicalMemory.At<VcpuInfo>(frame, (int)offset) = old;
        SetPlace(ref vcpu, frame, (int)offset);
        vcpu.Events.IsRegistered = true;

        // An event marked in the old place between the copy and now would be lost: let the guest look at everything once.
        ref VcpuInfo info = ref Info(ref vcpu);
        info.PendingSelector = ~0UL;
        Volatile.Write(ref info.UpcallPending, 1);
        return XenError.None;
    }

    private static void SetPlace(ref Vcpu vcpu, Mfn frame, int offset)
    {
        vcpu.Events.InfoFrame = frame;
        vcpu.Events.InfoOffset = offset;
        vcpu.Context.VcpuInfo = PhysicalMemory.DirectMapAddress(frame, offset);
    }
}
