// Twin of Cpu/Fatal.cs: a panic is an exception that the test sees.
using System.Text;

namespace Xenolith.Machine;

/// <summary>Stops the machine with a reason.</summary>
public static unsafe class Fatal
{
    public static void Panic(ReadOnlySpan<byte> reason) => throw new HypervisorPanicException(Encoding.UTF8.GetString(reason));

    public static void Assert(bool condition, ReadOnlySpan<byte> reason)
    {
        if (!condition)
        {
            Panic(reason);
        }
    }

    /// <summary>The exception is the report.</summary>
    public static void SetReporter(delegate*<ReadOnlySpan<byte>, void> report)
    {
    }

    internal static void TableIndex() => Panic("index outside a table of the hypervisor"u8);
}
