// set_segment_base: FS and GS of a guest.
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 25. RDI = which, RSI = base (or a selector for 3).</summary>
internal static class SetSegmentBaseHypercall
{
    private const ulong Fs = 0;
    private const ulong GsUser = 1;
    private const ulong GsKernel = 2;
    private const ulong GsUserSelector = 3;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        ulong value = call.Argument1;
        if (call.Argument0 is Fs or GsUser or GsKernel && !GuestAddress.IsCanonical(value))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        switch (call.Argument0)
        {
            case Fs:
                Segments.FsBase = value;
                break;
            case GsUser:
                call.Vcpu.Context.UserGsBase = value;
                break;
            case GsKernel:
                Segments.GsBase = value;
                break;
            case GsUserSelector:
                // Loading the selector replaces the active base, which in kernel mode is the kernel's.
                ulong kernelBase = Segments.GsBase;
                ushort selector = (ushort)value;
                Segments.TryLoadGs((ushort)(selector != 0 ? selector | 3 : 0));
                call.Vcpu.Context.UserGsBase = Segments.GsBase;
                Segments.GsBase = kernelBase;
                break;
            default:
                return HypercallResult.From(XenError.Invalid);
        }

        return HypercallResult.Success;
    }
}
