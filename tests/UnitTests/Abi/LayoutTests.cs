// The structures and numbers of the interface against those of the public headers.
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;

namespace Xenolith.UnitTests.Abi;

/// <summary>PublicLayout.txt is made by tools/abi-layout.c from Debian's libxen-dev: type, field or '-' for the size, bytes or value.</summary>
public sealed class LayoutTests
{
    private const BindingFlags Static = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static;
    private const BindingFlags Instance = BindingFlags.Public | BindingFlags.Instance;

    /// <summary>Members that no public header declares, each with what stands for the check.</summary>
    private static readonly Dictionary<string, string> s_undeclared = new()
    {
        ["DomainIds Domain0"] = "a convention: the first domain",
        ["XenError None"] = "zero is success",
        ["XenError Restart"] = "never leaves the hypervisor",
        ["DomainHandle _first"] = "an element of the array that the structure is",
        ["HardwareWords _first"] = "as above",
        ["E820Entry -"] = "memory.h names the firmware's structure: EntriesOfTheMemoryMapAreTheFirmwares checks it",
        ["E820Entry Address"] = "as above",
        ["E820Entry Bytes"] = "as above",
        ["E820Entry Type"] = "as above",
        ["E820Entry Ram"] = "numbers of the firmware (ACPI 6.4, table 15.1)",
        ["E820Entry Reserved"] = "as above",
        ["E820Entry Acpi"] = "as above",
        ["E820Entry Nvs"] = "as above",
        ["E820Entry Unusable"] = "as above",
        ["DomctlCommand GetVcpuCounts"] = "an operation of this hypervisor alone",
        ["VcpuCounts -"] = "its argument",
        ["VcpuCounts Vcpu"] = "as above",
        ["VcpuCounts StolenTime"] = "as above",
        ["VcpuCounts Hypercalls"] = "as above",
        ["VcpuCounts PageFaults"] = "as above",
        ["VcpuCounts Upcalls"] = "as above",
        ["DomctlCommand GetDomainName"] = "an operation of this hypervisor alone",
        ["DomainName -"] = "its argument",
        ["DomainName Bytes"] = "its length",
        ["DomainName _first"] = "an element of the array that the structure is",
    };

    public static IEnumerable<TheoryDataRow<string, string, ulong>> Rows()
    {
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Abi", "PublicLayout.txt")))
        {
            string[] words = line.Split(' ');
            yield return new(words[0], words[1], ulong.Parse(words[2], CultureInfo.InvariantCulture));
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void AgreesWithThePublicHeaders(string type, string field, ulong value)
    {
        // A name with a dot is that of a class of the hypervisor which keeps offsets of its own.
        Type found = type.Contains('.', StringComparison.Ordinal)
            ? typeof(Domain).Assembly.GetType("Xenolith.Hypervisor." + type, throwOnError: true)!
            : typeof(VcpuInfo).Assembly.GetType("Xenolith.Abi." + type, throwOnError: true)!;
        if (field == "-")
        {
            Assert.Equal(value, (ulong)Marshal.SizeOf(found));
        }
        else if (found.GetField(field, Static) is { IsLiteral: true } constant)
        {
            Assert.Equal(value, Convert.ToUInt64(constant.GetRawConstantValue(), CultureInfo.InvariantCulture));
        }
        else
        {
            Assert.Equal(value, (ulong)Marshal.OffsetOf(found, field));
        }
    }

    /// <summary>Nobody adds a structure or a number to the interface without its line from the headers.</summary>
    [Fact]
    public void EveryMemberOfTheInterfaceIsChecked()
    {
        HashSet<string> rows = [];
        foreach (TheoryDataRow<string, string, ulong> row in Rows())
        {
            rows.Add($"{row.Data.Item1} {row.Data.Item2}");
        }

        List<string> missing = [];
        foreach (Type type in typeof(VcpuInfo).Assembly.GetExportedTypes())
        {
            if (type is { IsValueType: true, IsEnum: false })
            {
                Demand(type, "-");
            }

            foreach (FieldInfo field in type.GetFields(Static | Instance))
            {
                bool isPadding = field.Name.StartsWith("Padding", StringComparison.Ordinal) || field.Name == "value__";
                if (!isPadding && (field.IsLiteral || !field.IsStatic))
                {
                    Demand(type, field.Name);
                }
            }
        }

        Assert.Empty(missing);

        void Demand(Type type, string member)
        {
            string name = $"{type.Name} {member}";
            if (!rows.Contains(name) && !s_undeclared.ContainsKey(name))
            {
                missing.Add(name);
            }
        }
    }

    /// <summary>struct e820entry has 20 bytes without padding, also between the entries of a list.</summary>
    [Fact]
    public void EntriesOfTheMemoryMapAreTheFirmwares()
    {
        Assert.Equal(20, Marshal.SizeOf<E820Entry>());
        Assert.Equal(0, (int)Marshal.OffsetOf<E820Entry>(nameof(E820Entry.Address)));
        Assert.Equal(8, (int)Marshal.OffsetOf<E820Entry>(nameof(E820Entry.Bytes)));
        Assert.Equal(16, (int)Marshal.OffsetOf<E820Entry>(nameof(E820Entry.Type)));
        Assert.Equal((1u, 2u, 3u, 4u, 5u), (E820Entry.Ram, E820Entry.Reserved, E820Entry.Acpi, E820Entry.Nvs, E820Entry.Unusable));
    }
}
