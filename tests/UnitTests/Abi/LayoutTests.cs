// The structures of the interface against numbers from the public headers.
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using Xenolith.Abi;

namespace Xenolith.UnitTests.Abi;

/// <summary>PublicLayout.txt is made by tools/abi-layout.c from Debian's libxen-dev: type, field or '-' for the size, bytes.</summary>
public sealed class LayoutTests
{
    public static IEnumerable<TheoryDataRow<string, string, int>> Rows()
    {
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Abi", "PublicLayout.txt")))
        {
            string[] words = line.Split(' ');
            yield return new(words[0], words[1], int.Parse(words[2], System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void AgreesWithThePublicHeaders(string type, string field, int bytes)
    {
        Type found = typeof(VcpuInfo).Assembly.GetType("Xenolith.Abi." + type, throwOnError: true)!;
        if (field == "-")
        {
            Assert.Equal(bytes, Marshal.SizeOf(found));
        }
        else if (found.GetField(field, BindingFlags.Public | BindingFlags.Static) is { } constant)
        {
            Assert.Equal(bytes, constant.GetRawConstantValue());
        }
        else
        {
            Assert.Equal(bytes, (int)Marshal.OffsetOf(found, field));
        }
    }
}
