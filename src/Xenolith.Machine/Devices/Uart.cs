// The serial port of the console: an 8250 or one of its successors.
namespace Xenolith.Machine;

/// <summary>A 16550-compatible UART in port space (National Semiconductor PC16550D data sheet), 8 data bits, no parity, 1 stop bit.</summary>
public static class Uart
{
    /// <summary>Bytes that the transmitter takes at once when it says that it is empty.</summary>
    public const int FifoBytes = 16;

    private const int Data = 0;
    private const int InterruptEnable = 1;
    private const int InterruptIdentification = 2;
    private const int FifoControl = 2;
    private const int LineControl = 3;
    private const int ModemControl = 4;
    private const int LineStatus = 5;
    private const int Scratch = 7;
    private const byte DataReady = 1 << 0;
    private const byte TransmitterEmpty = 1 << 5;
    private const byte DivisorLatch = 0x80;
    private const byte EightBits = 3;
    private const uint Clock = 115_200;
    private const int PatienceReads = 100_000;

    private static ushort s_base;
    private static byte s_enabledInterrupts;

    /// <summary>Whether a port was found; all other members do nothing without one.</summary>
    public static bool IsPresent => s_base != 0;

    /// <summary>First of its eight ports.</summary>
    public static ushort Base => s_base;

    /// <summary>Sets the port up, interrupts off. False: nothing answers at that address, or the rate cannot be had.</summary>
    public static bool TryInitialize(ushort basePort, uint bitsPerSecond)
    {
        s_base = 0;
        if (bitsPerSecond == 0 || bitsPerSecond > Clock || Clock % bitsPerSecond != 0)
        {
            return false;
        }

        const byte Pattern = 0x5A;
        Ports.Out8((ushort)(basePort + Scratch), Pattern);
        if (Ports.In8((ushort)(basePort + Scratch)) != Pattern)
        {
            return false;
        }

        uint divisor = Clock / bitsPerSecond;
        s_base = basePort;
        Write(InterruptEnable, 0);
        Write(LineControl, DivisorLatch | EightBits);
        Write(Data, (byte)divisor);
        Write(InterruptEnable, (byte)(divisor >> 8));
        Write(LineControl, EightBits);

        // FIFOs on and emptied, receive trigger at 14 bytes; DTR, RTS and OUT2, which gates the interrupt line.
        Write(FifoControl, 0xC7);
        Write(ModemControl, 0x0B);
        return true;
    }

    /// <summary>Whether the transmitter takes <see cref="FifoBytes"/> bytes.</summary>
    public static bool CanTransmit => IsPresent && (Read(LineStatus) & TransmitterEmpty) != 0;

    /// <summary>Hands one byte to the transmitter; lost unless there is room.</summary>
    public static void Transmit(byte value)
    {
        if (IsPresent)
        {
            Write(Data, value);
        }
    }

    /// <summary>Waits until the transmitter is empty; gives up on a line that hangs.</summary>
    public static void WaitForTransmitter()
    {
        for (int i = 0; i < PatienceReads && !CanTransmit; i++)
        {
            Cpu.Pause();
        }
    }

    /// <summary>Takes a received byte.</summary>
    public static bool TryReceive(out byte value)
    {
        if (IsPresent && (Read(LineStatus) & DataReady) != 0)
        {
            value = Read(Data);
            return true;
        }

        value = 0;
        return false;
    }

    /// <summary>Interrupt when a byte arrives, and when the transmitter has become empty.</summary>
    public static void EnableInterrupts(bool onReceive, bool onTransmitterEmpty)
    {
        byte wanted = (byte)((onReceive ? 1 : 0) | (onTransmitterEmpty ? 2 : 0));
        if (IsPresent && wanted != s_enabledInterrupts)
        {
            s_enabledInterrupts = wanted;
            Write(InterruptEnable, wanted);
        }
    }

    /// <summary>Acknowledges the transmitter's interrupt; reading the cause is what clears it.</summary>
    public static void AcknowledgeInterrupt()
    {
        if (IsPresent)
        {
            Read(InterruptIdentification);
        }
    }

    private static byte Read(int register) => Ports.In8((ushort)(s_base + register));

    private static void Write(int register, byte value) => Ports.Out8((ushort)(s_base + register), value);
}
