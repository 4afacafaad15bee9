// The debug registers of a guest.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>set_debugreg, get_debugreg and MOV DR. No breakpoint can lie in the hypervisor's range.</summary>
internal static class DebugRegisterEmulation
{
    private const ulong EnableBits = 0xFF;
    private const ulong GeneralDetect = 1 << 13;

    /// <summary>Bits of DR6 that a guest can set: those of the breakpoints, and BD, BS, BT.</summary>
    private const ulong StatusBits = 0xE00F;

    internal static bool TryRead(ref Vcpu vcpu, int number, out ulong value)
    {
        switch (number)
        {
            case 0: value = vcpu.Traps.Dr0; return true;
            case 1: value = vcpu.Traps.Dr1; return true;
            case 2: value = vcpu.Traps.Dr2; return true;
            case 3: value = vcpu.Traps.Dr3; return true;
            case 4 or 6: value = vcpu.Traps.Dr6 | DebugRegisters.StatusReset; return number == 6 || !HasExtensions(ref vcpu);
            case 5 or 7: value = vcpu.Traps.Dr7 | DebugRegisters.ControlReset; return number == 7 || !HasExtensions(ref vcpu);
            default: value = 0; return false;
        }
    }

    /// <summary>Errors: NotPermitted (address of the hypervisor's, DR7.GD), Invalid (high bits), NoDevice (no such register).</summary>
    internal static XenError Write(ref Vcpu vcpu, int number, ulong value)
    {
        switch (number)
        {
            case 0 or 1 or 2 or 3:
                if (!new GuestAddress(value).IsGuestRange(8))
                {
                    return XenError.NotPermitted;
                }

                SetAddress(ref vcpu, number, value);
                if ((vcpu.Traps.Dr7 & EnableBits) != 0)
                {
                    DebugRegisters.SetAddress(number, value);
                }

                return XenError.None;
            case 4 or 6:
                if (number == 4 && HasExtensions(ref vcpu))
                {
                    return XenError.NoDevice;
                }

                if (value >> 32 != 0)
                {
                    return XenError.Invalid;
                }

                vcpu.Traps.Dr6 = value & StatusBits;
                return XenError.None;
            case 5 or 7:
                if (number == 5 && HasExtensions(ref vcpu))
                {
                    return XenError.NoDevice;
                }

                return WriteControl(ref vcpu, value);
            default:
                return XenError.NoDevice;
        }
    }

    /// <summary>Sets a register of a vcpu that is on no processor; a value that <see cref="Write"/> would refuse is passed by.</summary>
    internal static void Preset(ref Vcpu vcpu, int number, ulong value)
    {
        if (number < 4 && new GuestAddress(value).IsGuestRange(8))
        {
            SetAddress(ref vcpu, number, value);
        }
        else if (number == 6 && value >> 32 == 0)
        {
            vcpu.Traps.Dr6 = value & StatusBits;
        }
        else if (number == 7 && CheckControl(ref vcpu, value) == XenError.None)
        {
            vcpu.Traps.Dr7 = value;
        }
    }

    /// <summary>Loads the vcpu's breakpoints, if it has any enabled.</summary>
    internal static void Load(ref Vcpu vcpu)
    {
        if ((vcpu.Traps.Dr7 & EnableBits) == 0)
        {
            return;
        }

        DebugRegisters.SetAddress(0, vcpu.Traps.Dr0);
        DebugRegisters.SetAddress(1, vcpu.Traps.Dr1);
        DebugRegisters.SetAddress(2, vcpu.Traps.Dr2);
        DebugRegisters.SetAddress(3, vcpu.Traps.Dr3);
        DebugRegisters.Control = vcpu.Traps.Dr7;
    }

    private static XenError CheckControl(ref Vcpu vcpu, ulong value)
    {
        if (value >> 32 != 0)
        {
            return XenError.Invalid;
        }

        // I/O breakpoints exist only with CR4.DE, which the processor here does not have set for the guest.
        if ((value & GeneralDetect) != 0)
        {
            return XenError.NotPermitted;
        }

        for (int i = 0; i < 4; i++)
        {
            bool isEnabled = ((value >> (i * 2)) & 3) != 0;
            if (isEnabled && ((value >> (16 + (i * 4))) & 3) == 2 && !HasExtensions(ref vcpu))
            {
                return XenError.NotPermitted;
            }
        }

        return XenError.None;
    }

    private static XenError WriteControl(ref Vcpu vcpu, ulong value)
    {
        XenError error = CheckControl(ref vcpu, value);
        if (error != XenError.None)
        {
            return error;
        }

        bool hadAny = (vcpu.Traps.Dr7 & EnableBits) != 0;
        vcpu.Traps.Dr7 = value;
        if ((value & EnableBits) != 0)
        {
            Load(ref vcpu);
        }
        else if (hadAny)
        {
            DebugRegisters.Control = DebugRegisters.ControlReset;
        }

        return XenError.None;
    }

    private static void SetAddress(ref Vcpu vcpu, int number, ulong value)
    {
        switch (number)
        {
            case 0: vcpu.Traps.Dr0 = value; break;
            case 1: vcpu.Traps.Dr1 = value; break;
            case 2: vcpu.Traps.Dr2 = value; break;
            default: vcpu.Traps.Dr3 = value; break;
        }
    }

    private static bool HasExtensions(ref Vcpu vcpu) => (vcpu.Traps.Cr4 & Cr4Bits.DebuggingExtensions) != 0;
}
