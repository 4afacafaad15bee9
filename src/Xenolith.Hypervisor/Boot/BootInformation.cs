// What the boot loader left: command line, modules, memory map.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Options;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot;

/// <summary>
/// Multiboot information (Multiboot Specification 0.6.96, 3.3), copied out of the loader's memory before that memory is used for
/// anything else.
/// </summary>
internal static class BootInformation
{
    internal const int MaximumModules = 256;

    private const uint HasMemory = 1 << 0;
    private const uint HasCommandLine = 1 << 2;
    private const uint HasModules = 1 << 3;
    private const uint HasMemoryMap = 1 << 6;
    private const int TextBytes = 1024;
    private const int PoolBytes = 32 * 1024;

    private static Pool s_pool;
    private static int s_poolUsed;
    private static TextRange s_commandLine;
    private static ModuleSlots s_modules;

    /// <summary>The hypervisor's options, without the name of its file.</summary>
    internal static ReadOnlySpan<byte> CommandLine => Text(s_commandLine);

    internal static int ModuleCount { get; private set; }

    /// <summary>Modules beyond <see cref="MaximumModules"/>, or whose texts do not fit into the pool.</summary>
    internal static uint ModulesLeftOut { get; private set; }

    internal static ref BootModule ModuleAt(int index) => ref s_modules[index];

    /// <summary>A text that was copied.</summary>
    internal static ReadOnlySpan<byte> Text(TextRange range) => ((ReadOnlySpan<byte>)s_pool).Slice(range.Start, range.Length);

    /// <summary>Copies everything. False when there is no memory map, or one with more ranges than fit.</summary>
    internal static bool TryRead(ulong address)
    {
        ReadOnlySpan<byte> info = PhysicalMemory.Range(new MachineAddress(address), 88);
        uint flags = Bytes.U32(info, 0);
        if ((flags & HasCommandLine) != 0)
        {
            TryCopyText(Bytes.U32(info, 16), out s_commandLine);
        }

        uint given = (flags & HasModules) != 0 ? Bytes.U32(info, 20) : 0;
        uint modules = Math.Min(given, MaximumModules);
        ModulesLeftOut = given - modules;
        for (uint i = 0; i < modules; i++)
        {
            ReadModule(Bytes.U32(info, 24) + (i * 16));
        }

        MachineMemoryMap.Clear();
        if ((flags & HasMemoryMap) != 0)
        {
            return TryReadMemoryMap(Bytes.U32(info, 48), Bytes.U32(info, 44));
        }

        return (flags & HasMemory) != 0
            && MachineMemoryMap.TryAdd(0, (ulong)Bytes.U32(info, 4) << 10, Abi.E820Entry.Ram)
            && MachineMemoryMap.TryAdd(1 << 20, (ulong)Bytes.U32(info, 8) << 10, Abi.E820Entry.Ram);
    }

    private static void ReadModule(uint address)
    {
        ReadOnlySpan<byte> entry = PhysicalMemory.Range(new MachineAddress(address), 16);
        uint start = Bytes.U32(entry, 0);
        uint end = Bytes.U32(entry, 4);
        if (end <= start || end - start > int.MaxValue)
        {
            return;
        }

        if (!TryCopyText(Bytes.U32(entry, 8), out TextRange text))
        {
            ModulesLeftOut++;
            return;
        }

        s_modules[ModuleCount++] = new BootModule { Start = new MachineAddress(start), Bytes = (int)(end - start), TextRange = text };
    }

    private static bool TryReadMemoryMap(uint address, uint length)
    {
        const uint EntryBytes = 20;
        const uint MaximumLength = 64 * 1024;
        ReadOnlySpan<byte> map = PhysicalMemory.Range(new MachineAddress(address), (int)Math.Min(length, MaximumLength));
        int next;
        for (int at = 0; at + 4 + (int)EntryBytes <= map.Length; at = next)
        {
            uint size = Bytes.U32(map, at);
            next = at + 4 + (int)Math.Min(size, MaximumLength);
            if (size < EntryBytes)
            {
                return false;
            }

            uint kind = Bytes.U32(map, at + 20);
            if (!MachineMemoryMap.TryAdd(Bytes.U64(map, at + 4), Bytes.U64(map, at + 12), kind is 0 or > 5 ? Abi.E820Entry.Reserved : kind))
            {
                return false;
            }
        }

        MachineMemoryMap.Normalize();
        return MachineMemoryMap.Count != 0;
    }

    /// <summary>Copies a text that ends with a zero byte, without its first word (the file's name). False when the pool is full.</summary>
    private static bool TryCopyText(uint address, out TextRange copy)
    {
        ReadOnlySpan<byte> text = PhysicalMemory.Range(new MachineAddress(address), TextBytes * 2);
        int end = text.IndexOf((byte)0);
        text = end < 0 ? text : text.Slice(0, end);
        Words.TryNext(ref text, out _);
        while (!text.IsEmpty && text[0] == (byte)' ')
        {
            text = text.Slice(1);
        }

        copy = new TextRange { Start = s_poolUsed, Length = Math.Min(text.Length, TextBytes - 1) };
        if (copy.Length > PoolBytes - s_poolUsed)
        {
            copy = default;
            return false;
        }

        text.Slice(0, copy.Length).CopyTo(((Span<byte>)s_pool).Slice(copy.Start));
        s_poolUsed += copy.Length;
        return true;
    }

    /// <summary>Where a text of at most 1023 bytes lies among all of them.</summary>
    internal struct TextRange
    {
        internal int Start;
        internal int Length;
    }

    [InlineArray(PoolBytes)]
    private struct Pool
    {
        private byte _first;
    }

    [InlineArray(MaximumModules)]
    private struct ModuleSlots
    {
        private BootModule _first;
    }
}
