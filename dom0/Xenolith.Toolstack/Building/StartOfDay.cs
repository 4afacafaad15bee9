// What a new domain finds when it starts.
using System.Buffers.Binary;
using System.Text;
using Xenolith.Abi;
using Xenolith.Loading;

namespace Xenolith.Toolstack.Building;

/// <summary>start_info, shared_info, registers and grants (public xen.h and arch-x86/xen.h).</summary>
internal static class StartOfDay
{
    private const ulong InterruptsEnabled = 0x200;
    private const ulong DebugStatusAtReset = 0xFFFF_0FF0;
    private const ulong DebugControlAtReset = 0x400;
    private const int DebugStatus = VcpuGuestContextLayout.DebugRegisters + (6 * 8);
    private const int DebugControl = VcpuGuestContextLayout.DebugRegisters + (7 * 8);
    private const int FrameShift = 32;
    private const int DomainShift = 16;

    /// <summary>Fills the page of start_info, which is zero.</summary>
    internal static void WriteStartInfo(Span<byte> page, in InitialLayout layout, ReadOnlySpan<ulong> frames, ulong sharedInfo, string commandLine, long ramDiskBytes, BuiltDomain domain)
    {
        "xen-3.0-x86_64"u8.CopyTo(page);
        Set(page, StartInfoLayout.PageCount, (ulong)frames.Length);
        Set(page, StartInfoLayout.SharedInfo, sharedInfo << 12);
        Set(page, StartInfoLayout.StoreMfn, domain.XenstoreFrame);
        Set(page, StartInfoLayout.StoreEventChannel, domain.XenstorePort);
        Set(page, StartInfoLayout.ConsoleMfn, domain.ConsoleFrame);
        Set(page, StartInfoLayout.ConsoleEventChannel, domain.ConsolePort);
        Set(page, StartInfoLayout.PageTableBase, layout.AddressOf(layout.PageTables));
        Set(page, StartInfoLayout.PageTableFrames, layout.PageTableCount);
        Set(page, StartInfoLayout.MfnList, layout.P2mAddress);
        if (layout.IsP2mApart)
        {
            Set(page, StartInfoLayout.FirstP2mPfn, layout.P2m);
            Set(page, StartInfoLayout.P2mFrameCount, layout.P2mPages + layout.P2mTables);
        }

        if (ramDiskBytes != 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(page[StartInfoLayout.Flags..], layout.IsRamDiskMapped ? 0 : StartInfoLayout.ModuleStartIsPfn);
            Set(page, StartInfoLayout.ModuleStart, layout.IsRamDiskMapped ? layout.AddressOf(layout.RamDisk) : layout.RamDisk);
            Set(page, StartInfoLayout.ModuleBytes, (ulong)ramDiskBytes);
        }

        Encoding.UTF8.GetBytes(commandLine, page.Slice(StartInfoLayout.CommandLine, StartInfoLayout.CommandLineBytes - 1));
    }

    /// <summary>Fills shared_info: no event reaches a vcpu before its kernel asks for it.</summary>
    internal static void WriteSharedInfo(Span<byte> page)
    {
        const int UpcallMask = 1;
        page.Clear();
        for (int vcpu = 0; vcpu < SharedInfoLayout.VcpuInfoCount; vcpu++)
        {
            page[(vcpu * SharedInfoLayout.VcpuInfoBytes) + UpcallMask] = 1;
        }
    }

    /// <summary>Registers of the first vcpu.</summary>
    internal static byte[] MakeContext(in InitialLayout layout, ulong entry, ulong rootFrame)
    {
        byte[] context = new byte[VcpuGuestContextLayout.Bytes];
        ulong stack = layout.AddressOf(layout.Stack + 1);
        Set(context, VcpuGuestContextLayout.Flags, VcpuGuestContextLayout.InKernel | VcpuGuestContextLayout.Online);
        Set(context, VcpuGuestContextLayout.Rip, entry);
        Set(context, VcpuGuestContextLayout.Cs, Selectors.FlatCode64);
        Set(context, VcpuGuestContextLayout.Rflags, InterruptsEnabled);
        Set(context, VcpuGuestContextLayout.Rsp, stack);
        Set(context, VcpuGuestContextLayout.Ss, Selectors.FlatData);
        Set(context, VcpuGuestContextLayout.Rsi, layout.AddressOf(layout.StartInfo));
        Set(context, VcpuGuestContextLayout.KernelSs, Selectors.FlatData);
        Set(context, VcpuGuestContextLayout.KernelSp, stack);
        Set(context, VcpuGuestContextLayout.KernelRoot, rootFrame << 12);
        Set(context, DebugStatus, DebugStatusAtReset);
        Set(context, DebugControl, DebugControlAtReset);
        return context;
    }

    /// <summary>The first two entries of the grant table: console and xenstore rings, each for the domain that serves it.</summary>
    internal static void WriteGrants(Span<ulong> table, BuiltDomain domain, ushort consoleDomain, ushort? xenstoreDomain)
    {
        table[0] = Grant(domain.ConsoleFrame, consoleDomain);
        if (xenstoreDomain is ushort server)
        {
            table[1] = Grant(domain.XenstoreFrame, server);
        }
    }

    private static ulong Grant(ulong frame, ushort to) => GrantEntryFlags.PermitAccess | ((ulong)to << DomainShift) | (frame << FrameShift);

    private static void Set(Span<byte> bytes, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes[offset..], value);
}
