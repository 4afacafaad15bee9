// What concerns the whole machine.
using System.Text;
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Inventory, version, console ring.</summary>
public sealed class MachineOperations
{
    private const int ConsoleBytesAtOnce = 16 << 10;

    private readonly Caller _caller;

    // What does not change while the machine runs.
    private PhysicalInfo? _first;

    internal MachineOperations(Caller caller) => _caller = caller;

    /// <summary>Highest number of a processor.</summary>
    public int HighestProcessor => (int)First.HighestProcessor;

    /// <summary>The highest version of grant tables that domains can have.</summary>
    public int HighestGrantVersion => (First.Capabilities & PhysicalInfo.HasGrantVersion2) != 0 ? 2 : 1;

    private PhysicalInfo First => _first ??= ReadPhysicalInfo();

    /// <summary>Processors and memory.</summary>
    public MachineInformation Get()
    {
        PhysicalInfo info = ReadPhysicalInfo();
        _first = info;
        HardwareWords words = info.Hardware;
        return new MachineInformation(
            (int)info.ProcessorCount,
            (int)info.NodeCount,
            (int)info.CoresPerSocket,
            (int)info.ThreadsPerCore,
            info.Kilohertz,
            info.TotalPages,
            info.FreePages,
            info.ScrubPages,
            info.OutstandingPages,
            (info.Capabilities & PhysicalInfo.HasHardwareVirtualization) != 0,
            (info.Capabilities & PhysicalInfo.HasParavirtual) != 0,
            ((ReadOnlySpan<uint>)words).ToArray());
    }

    /// <summary>What the hypervisor says about itself.</summary>
    public HypervisorVersion GetVersion()
    {
        long version = Caller.Require(_caller.Hypervisor.Call(HypercallNumber.XenVersion, (ulong)XenVersionCommand.Version), "xen_version");
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(XenVersionLayout.CapabilitiesBytes);
        string extra = ReadText(buffer, XenVersionCommand.ExtraVersion, XenVersionLayout.ExtraVersionBytes);
        string capabilities = ReadText(buffer, XenVersionCommand.Capabilities, XenVersionLayout.CapabilitiesBytes);
        string changeSet = ReadText(buffer, XenVersionCommand.ChangeSet, XenVersionLayout.ChangeSetBytes);
        string commandLine = ReadText(buffer, XenVersionCommand.CommandLine, XenVersionLayout.CommandLineBytes);
        buffer.Bytes.Clear();
        Caller.Require(_caller.Hypervisor.Call(HypercallNumber.XenVersion, (ulong)XenVersionCommand.CompileInfo, buffer.Address), "xen_version");
        ReadOnlySpan<byte> compiled = buffer.Bytes;
        return new HypervisorVersion(
            (int)(version >> 16),
            (int)(version & 0xFFFF),
            extra,
            capabilities.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            changeSet,
            commandLine,
            Caller.Text(compiled[XenVersionLayout.Compiler..XenVersionLayout.CompiledBy]),
            Caller.Text(compiled[XenVersionLayout.CompiledBy..XenVersionLayout.CompileDomain]),
            Caller.Text(compiled[XenVersionLayout.CompileDate..XenVersionLayout.CompileInfoBytes]));
    }

    /// <summary>Where each processor is; null for numbers without one.</summary>
    public IReadOnlyList<ProcessorPlace?> GetTopology()
    {
        const string Operation = "cputopoinfo";
        int count = (int)_caller.Sysctl(SysctlCommand.CpuTopology, Operation, default(CpuTopology)).Count;
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<ProcessorPlace>(Math.Max(count, 1)));
        int given = (int)_caller.Sysctl(SysctlCommand.CpuTopology, Operation, new CpuTopology { Count = (uint)count, Places = buffer.Address }).Count;
        ProcessorPlace?[] places = new ProcessorPlace?[Math.Min(given, count)];
        for (int i = 0; i < places.Length; i++)
        {
            ProcessorPlace place = buffer.As<ProcessorPlace>()[i];
            places[i] = place.Core == uint.MaxValue ? null : place;
        }

        return places;
    }

    /// <summary>Memory of each node.</summary>
    public IReadOnlyList<NodeMemory> GetNodes()
    {
        const string Operation = "numainfo";
        int count = Math.Max(1, (int)_caller.Sysctl(SysctlCommand.NumaInfo, Operation, default(NumaInfo)).Count);
        using HypercallBuffer memory = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<NodeMemory>(count));
        using HypercallBuffer distances = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<uint>(count * count));
        NumaInfo request = new() { Count = (uint)count, Memory = memory.Address, Distances = distances.Address };
        int given = (int)_caller.Sysctl(SysctlCommand.NumaInfo, Operation, request).Count;
        return memory.As<NodeMemory>()[..Math.Min(given, count)].ToArray();
    }

    /// <summary>How long each processor has been idle.</summary>
    public IReadOnlyList<TimeSpan> GetIdleTimes()
    {
        int count = HighestProcessor + 1;
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<ulong>(count));
        IdleTimeList list = new() { Maximum = (uint)count, Buffer = buffer.Address };
        int given = (int)_caller.Sysctl(SysctlCommand.GetCpuInfo, "getcpuinfo", list).Count;
        TimeSpan[] times = new TimeSpan[Math.Min(given, count)];
        for (int i = 0; i < times.Length; i++)
        {
            times[i] = TimeSpan.FromTicks((long)(buffer.As<ulong>()[i] / 100));
        }

        return times;
    }

    /// <summary>Bytes that are free for domains.</summary>
    public ulong GetFreeMemory() => _caller.Sysctl(SysctlCommand.AvailableHeap, "availheap", new AvailableHeap { Node = -1 }).Bytes;

    /// <summary>All that the hypervisor's console ring holds.</summary>
    public string ReadConsole()
    {
        StringBuilder text = new();
        Decoder decoder = Encoding.UTF8.GetDecoder();
        uint index = 0;
        bool isFirst = true;
        while (true)
        {
            byte[] bytes = ReadConsole(ref index, isFirst);
            if (bytes.Length == 0)
            {
                return text.ToString();
            }

            char[] characters = new char[decoder.GetCharCount(bytes, false)];
            text.Append(characters, 0, decoder.GetChars(bytes, characters, false));
            isFirst = false;
        }
    }

    /// <summary>Bytes of the console ring from a position on; a position that the ring has left behind counts as its oldest byte.</summary>
    /// <param name="index">Position; moved behind what is read.</param>
    /// <param name="fromStart">Starts with the oldest byte, whatever the position.</param>
    /// <returns>Nothing when nothing has come since.</returns>
    public byte[] ReadConsole(ref uint index, bool fromStart = false)
    {
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(ConsoleBytesAtOnce);
        ReadConsole request = new() { Incremental = (byte)(fromStart ? 0 : 1), Index = index, Buffer = buffer.Address, Count = ConsoleBytesAtOnce };
        ReadConsole answer = _caller.Sysctl(SysctlCommand.ReadConsole, "readconsole", request);
        index = answer.Index;
        return buffer.Bytes[..(int)Math.Min(answer.Count, ConsoleBytesAtOnce)].ToArray();
    }

    /// <summary>Empties the console ring.</summary>
    public void ClearConsole()
    {
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(ConsoleBytesAtOnce);
        _caller.Sysctl(SysctlCommand.ReadConsole, "readconsole", new ReadConsole { Clear = 1, Buffer = buffer.Address, Count = ConsoleBytesAtOnce });
    }

    /// <summary>Presses keys on the hypervisor's console; what they print goes to its ring.</summary>
    public void PressDebugKeys(string keys)
    {
        ArgumentException.ThrowIfNullOrEmpty(keys);
        byte[] bytes = Encoding.ASCII.GetBytes(keys);
        using HypercallBuffer buffer = _caller.Hypervisor.Rent(bytes.Length);
        bytes.CopyTo(buffer.Bytes);
        _caller.Sysctl(SysctlCommand.DebugKeys, "debug_keys", new DebugKeyList { Keys = buffer.Address, Count = (uint)bytes.Length });
    }

    private PhysicalInfo ReadPhysicalInfo() => _caller.Sysctl(SysctlCommand.PhysicalInfo, "physinfo", default(PhysicalInfo));

    private string ReadText(HypercallBuffer buffer, XenVersionCommand command, int bytes)
    {
        buffer.Bytes.Clear();
        Caller.Require(_caller.Hypervisor.Call(HypercallNumber.XenVersion, (ulong)command, buffer.Address), "xen_version");
        return Caller.Text(buffer.Bytes[..bytes]);
    }
}

/// <summary>Processors and memory of the machine. Pages have 4 KiB.</summary>
/// <param name="Processors">Processors in use.</param>
/// <param name="Nodes">NUMA nodes.</param>
/// <param name="CoresPerSocket">Cores of a socket.</param>
/// <param name="ThreadsPerCore">Threads of a core.</param>
/// <param name="Kilohertz">Rate of the time-stamp counter.</param>
/// <param name="TotalPages">Pages that the hypervisor manages.</param>
/// <param name="FreePages">Pages that no domain has.</param>
/// <param name="ScrubPages">Free pages that are still to be wiped.</param>
/// <param name="OutstandingPages">Free pages that are claimed.</param>
/// <param name="HasHardwareVirtualization">Domains with hardware virtualization can run.</param>
/// <param name="HasParavirtual">PV domains can run.</param>
/// <param name="HardwareWords">Words of CPUID: 1.edx, 1.ecx, 80000001.edx, 80000001.ecx, d:1.eax, 7:0.ebx, 7:0.ecx, 80000007.edx.</param>
public sealed record MachineInformation(
    int Processors,
    int Nodes,
    int CoresPerSocket,
    int ThreadsPerCore,
    uint Kilohertz,
    ulong TotalPages,
    ulong FreePages,
    ulong ScrubPages,
    ulong OutstandingPages,
    bool HasHardwareVirtualization,
    bool HasParavirtual,
    IReadOnlyList<uint> HardwareWords);

/// <summary>What the hypervisor says about itself.</summary>
/// <param name="Major">Major version of the interface.</param>
/// <param name="Minor">Minor version of the interface.</param>
/// <param name="Extra">The rest of the version's text.</param>
/// <param name="Capabilities">Kinds of domains, such as xen-3.0-x86_64.</param>
/// <param name="ChangeSet">What it was built from.</param>
/// <param name="CommandLine">Its options.</param>
/// <param name="Compiler">What it was compiled with.</param>
/// <param name="CompiledBy">Who compiled it.</param>
/// <param name="CompileDate">When that was.</param>
public sealed record HypervisorVersion(
    int Major,
    int Minor,
    string Extra,
    IReadOnlyList<string> Capabilities,
    string ChangeSet,
    string CommandLine,
    string Compiler,
    string CompiledBy,
    string CompileDate)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Major}.{Minor}{Extra}";
}
