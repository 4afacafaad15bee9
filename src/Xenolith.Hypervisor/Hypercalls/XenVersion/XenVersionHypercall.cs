// xen_version: who the hypervisor is.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 17. RDI = what, RSI = where to.</summary>
internal static class XenVersionHypercall
{
    private const long Version = 0x0004_0011;
    private const ulong HypervisorStart = 0xFFFF_8000_0000_0000;
    private const uint BaseFeatures = (1 << 5) | (1 << 6) | (1 << 7) | (1 << 13) | (1 << 17);
    private const uint PaeExtendedCr3 = 1 << 4;
    private const uint Dom0 = 1 << 11;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        switch (call.Argument0)
        {
            case 0: return HypercallResult.Done(Version);
            case 1: return Text(ref call, ".7-xenolith"u8, 16);
            case 2: return CompileInfo(ref call);
            case 3: return Text(ref call, "xen-3.0-x86_64 "u8, 1024);
            case 4: return Text(ref call, "xenolith"u8, 64);
            case 5: return Write(ref call, HypervisorStart);
            case 6: return Features(ref call);
            case 7: return call.Argument1 == 0 ? HypercallResult.Done(4096) : HypercallResult.From(XenError.Invalid);
            case 8: return Write(ref call, 0UL, 0UL);
            case 9: return Text(ref call, call.Domain.IsPrivileged ? BootInformation.CommandLine : "<denied>"u8, 1024);
            case 10: return BuildId(ref call);
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }

    private static HypercallResult Features(ref HypercallCall call)
    {
        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out uint index))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (index != 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        uint features = BaseFeatures | (call.Domain.IsPrivileged ? Dom0 : 0) | ((call.Domain.Assists & (1 << 3)) != 0 ? PaeExtendedCr3 : 0);
        return GuestMemory.TryWrite(new GuestAddress(call.Argument1 + 4), features) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>
    /// struct xen_build_id: room @0, the bytes @4; the result is how many there are, which a null pointer asks for alone.
    /// Errors: NotPermitted, Fault, Invalid (no room), NoBufferSpace (too little).
    /// </summary>
    private static HypercallResult BuildId(ref HypercallCall call)
    {
        if (!call.Domain.IsPrivileged)
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        ReadOnlySpan<byte> id = Symbols.BuildIdBytes;
        if (call.Argument1 == 0)
        {
            return HypercallResult.Done(id.Length);
        }

        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out uint room))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (room < (uint)id.Length)
        {
            return HypercallResult.From(room == 0 ? XenError.Invalid : XenError.NoBufferSpace);
        }

        return GuestMemory.TryCopyTo(new GuestAddress(call.Argument1 + 4), id) ? HypercallResult.Done(id.Length) : HypercallResult.From(XenError.Fault);
    }

    private static HypercallResult CompileInfo(ref HypercallCall call)
    {
        ulong at = call.Argument1;
        bool done = TryText(at, "ilc"u8, 64) && TryText(at + 64, "xenolith"u8, 16) && TryText(at + 80, "xenolith"u8, 32) && TryText(at + 112, ""u8, 32);
        return done ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static HypercallResult Text(ref HypercallCall call, ReadOnlySpan<byte> text, int bytes)
        => TryText(call.Argument1, text, bytes) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);

    /// <summary>Writes the text, ended and padded with zeros to the length of the guest's field.</summary>
    private static bool TryText(ulong address, ReadOnlySpan<byte> text, int bytes)
    {
        Span<byte> zeros = stackalloc byte[64];
        zeros.Clear();
        int length = Math.Min(text.Length, bytes - 1);
        if (!GuestMemory.TryCopyTo(new GuestAddress(address), text.Slice(0, length)))
        {
            return false;
        }

        for (int at = length; at < bytes; at += zeros.Length)
        {
            if (!GuestMemory.TryCopyTo(new GuestAddress(address + (ulong)at), zeros.Slice(0, Math.Min(zeros.Length, bytes - at))))
            {
                return false;
            }
        }

        return true;
    }

    private static HypercallResult Write(ref HypercallCall call, ulong value)
        => GuestMemory.TryWrite(new GuestAddress(call.Argument1), value) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);

    private static HypercallResult Write(ref HypercallCall call, ulong first, ulong second)
        => GuestMemory.TryWrite(new GuestAddress(call.Argument1), first) && GuestMemory.TryWrite(new GuestAddress(call.Argument1 + 8), second)
            ? HypercallResult.Success
            : HypercallResult.From(XenError.Fault);
}
