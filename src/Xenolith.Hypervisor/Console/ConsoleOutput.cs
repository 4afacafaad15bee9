// Output of the hypervisor and, through console_io, of Domain 0.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Console;

/// <summary>
/// Text goes to the ring and to the serial port. Until interrupts are set up, and in a panic, each byte waits for the transmitter;
/// in between a buffer takes it and the transmitter's interrupt drains it.
/// </summary>
internal static class ConsoleOutput
{
    private const int BufferBytes = 16384;

    private static Storage s_buffer;

    // Free-running; the buffer's length divides 2^32.
    private static uint s_head;
    private static uint s_tail;
    private static bool s_isBuffered;
    private static byte s_last;

    /// <summary>Bytes written since boot by anybody.</summary>
    internal static ulong Written { get; private set; }

    /// <summary>Writes text; a line feed becomes carriage return and line feed, unless it follows a carriage return.</summary>
    internal static void Write(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            ConsoleRing.Append(text[i]);
        }

        WritePassing(text);
    }

    /// <summary>
    /// As <see cref="Write"/>, but the text is not kept in the ring: it is Domain 0's, which may be reading the ring to show it here.
    /// </summary>
    internal static void WritePassing(ReadOnlySpan<byte> text)
    {
        Written += (ulong)text.Length;
        for (int i = 0; i < text.Length; i++)
        {
            byte value = text[i];
            if (value == (byte)'\n' && s_last != (byte)'\r')
            {
                Put((byte)'\r');
            }

            Put(value);
            s_last = value;
        }

        if (s_isBuffered)
        {
            Drain();
        }
        else
        {
            EndBuffering();
        }
    }

    /// <summary>Whether much can be said before somebody would have to wait for the transmitter.</summary>
    internal static bool HasRoom => !s_isBuffered || s_head - s_tail < BufferBytes / 2;

    /// <summary>Ends a line that somebody else has begun.</summary>
    internal static void StartLine()
    {
        if (s_last != (byte)'\n')
        {
            Write("\n"u8);
        }
    }

    /// <summary>From now on the transmitter's interrupt drains the buffer.</summary>
    internal static void BeginBuffering()
    {
        s_isBuffered = true;
        Uart.EnableInterrupts(true, false);
    }

    /// <summary>Writes out what is buffered and waits for each byte from now on: nothing that is said may be lost.</summary>
    internal static void EndBuffering()
    {
        s_isBuffered = false;
        while (s_head != s_tail)
        {
            SendWhenEmpty();
        }
    }

    /// <summary>Gives the transmitter what it takes; asks for its interrupt if something is left.</summary>
    internal static void Drain()
    {
        while (s_head != s_tail && Uart.CanTransmit)
        {
            Send();
        }

        if (s_isBuffered)
        {
            Uart.EnableInterrupts(true, s_head != s_tail);
        }
    }

    private static void Put(byte value)
    {
        if (!Uart.IsPresent)
        {
            return;
        }

        if (s_head - s_tail == BufferBytes)
        {
            SendWhenEmpty();
        }

        s_buffer[(int)(s_head++ % BufferBytes)] = value;
    }

    private static void SendWhenEmpty()
    {
        Uart.WaitForTransmitter();
        Send();
    }

    private static void Send()
    {
        for (int i = 0; i < Uart.FifoBytes && s_head != s_tail; i++)
        {
            Uart.Transmit(s_buffer[(int)(s_tail++ % BufferBytes)]);
        }
    }

    [InlineArray(BufferBytes)]
    private struct Storage
    {
        private byte _first;
    }
}
