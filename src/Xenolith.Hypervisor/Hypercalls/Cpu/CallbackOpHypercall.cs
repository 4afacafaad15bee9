// callback_op: where the hypervisor enters the guest's kernel.
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 30. RDI = 0 register, 1 unregister; RSI = struct callback_register.</summary>
internal static class CallbackOpHypercall
{
    private const ushort MaskEvents = 1;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        if (call.Argument0 > 1)
        {
            return HypercallResult.From(XenError.NotImplemented);
        }

        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out CallbackRegister request))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (call.Argument0 == 1)
        {
            // Unregistering reads a shorter struct, of which the type is the first field as well.
            if (request.Type != CallbackRegister.Nmi)
            {
                return HypercallResult.From(XenError.Invalid);
            }

            call.Vcpu.Traps.NmiCallback = 0;
            return HypercallResult.Success;
        }

        if (!GuestAddress.IsCanonical(request.Address))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        bool masks = (request.Flags & MaskEvents) != 0;
        switch (request.Type)
        {
            case CallbackRegister.Event:
                call.Vcpu.Traps.EventCallback = request.Address;
                break;
            case CallbackRegister.Failsafe:
                call.Vcpu.Traps.FailsafeCallback = request.Address;
                call.Vcpu.Traps.FailsafeMasksEvents = masks;
                break;
            case CallbackRegister.Syscall:
                call.Vcpu.Context.SyscallCallback = request.Address;
                call.Vcpu.Context.SyscallMasksEvents = masks ? (byte)1 : (byte)0;
                break;
            case CallbackRegister.Syscall32:
                call.Vcpu.Traps.Syscall32Callback = request.Address;
                call.Vcpu.Traps.Syscall32MasksEvents = masks;
                break;
            case CallbackRegister.Sysenter:
                call.Vcpu.Traps.SysenterCallback = request.Address;
                break;
            case CallbackRegister.Nmi:
                call.Vcpu.Traps.NmiCallback = request.Address;
                break;
            default:
                return HypercallResult.From(XenError.NotImplemented);
        }

        return HypercallResult.Success;
    }
}
