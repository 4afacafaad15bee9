// The first step into a guest.
namespace Xenolith.Machine;

/// <summary>Leaves the boot code for good.</summary>
public static unsafe class GuestEntry
{
    /// <summary>Resumes the vcpu of a context that <see cref="Descriptors.SetCurrent"/> made current; does not return.</summary>
    public static void Enter(ref VcpuContext context)
    {
        // SAFETY: contexts live in a table of the hypervisor for as long as it runs.
        Native.EnterGuest((VcpuContext*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref context));
    }
}
