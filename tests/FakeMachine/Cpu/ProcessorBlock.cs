// Twin of Cpu/ProcessorBlock.cs: processors of the fake machine need no memory of their own.
namespace Xenolith.Machine;

/// <summary>Block numbers stand for blocks.</summary>
public static class ProcessorBlock
{
    public const int Capacity = 64;

    public static ulong StackTop => Descriptors.StackTop;

    public static Mfn Allocate(int index)
    {
        Fatal.Assert((uint)index < Capacity, "processor index out of range"u8);
        return EarlyFrames.Allocate(1);
    }
}
