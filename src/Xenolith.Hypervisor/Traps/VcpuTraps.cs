// What a guest has told the hypervisor about its exceptions, segments and control registers.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>The virtual processor state of a vcpu beside its registers.</summary>
public struct VcpuTraps
{
    /// <summary>Most entries of a guest's GDT: 14 pages.</summary>
    public const int MaximumGdtEntries = 7168;

    public TrapTable Table;
    public ulong EventCallback;
    public ulong FailsafeCallback;
    public bool FailsafeMasksEvents;
    public ulong Syscall32Callback;
    public bool Syscall32MasksEvents;
    public ulong SysenterCallback;
    public ulong NmiCallback;

    /// <summary>Kernel stack as stack_switch gave it; checked when it is used.</summary>
    public ulong KernelSs;
    public ulong KernelSp;

    public GdtFrames Gdt;
    public int GdtEntries;
    public ulong LdtBase;
    public int LdtEntries;

    public ulong Cr4;
    public ulong Xcr0;
    public uint TscAux;
    public uint Iopl;
    public ulong IoBitmap;
    public uint IoBitmapPorts;

    public ulong Dr0;
    public ulong Dr1;
    public ulong Dr2;
    public ulong Dr3;
    public ulong Dr6;
    public ulong Dr7;

    /// <summary>An exception that the hypervisor raises itself, waiting for the return to the guest.</summary>
    public bool HasPending;
    public byte PendingVector;
    public bool PendingHasErrorCode;
    public uint PendingErrorCode;

    /// <summary>The guest has got one instruction further since the last event.</summary>
    public bool HasStepped;

    public bool NmiPending;
    public bool NmiMasked;

    /// <summary>For the crash report; quick system calls and irets are not counted.</summary>
    public ulong LastHypercall;

    /// <summary>Segment state while the vcpu is not loaded.</summary>
    public ushort Ds;
    public ushort Es;
    public ushort Fs;
    public ushort Gs;
    public ulong FsBase;
    public ulong GsBase;

    [InlineArray(256)]
    public struct TrapTable
    {
        private TrapInfo _first;
    }

    [InlineArray(DescriptorWindow.GuestGdtPages)]
    public struct GdtFrames
    {
        private Mfn _first;
    }
}
