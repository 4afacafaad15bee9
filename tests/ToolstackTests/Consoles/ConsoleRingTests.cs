// The console's ring, with honest and with hostile guests.
using System.Buffers.Binary;
using System.Text;
using Xenolith.Toolstack.Consoles;

namespace Xenolith.Toolstack.Tests.Consoles;

public sealed class ConsoleRingTests
{
    private readonly byte[] _page = new byte[ConsoleRing.PageSize];

    [Fact]
    public void WhatTheGuestWritesIsReadInOrderAcrossTheEndOfTheRing()
    {
        ConsoleRing ring = new(_page);
        Random random = new(3);
        byte written = 0, read = 0;
        byte[] buffer = new byte[700];
        for (int round = 0; round < 2000; round++)
        {
            int count = random.Next(0, ConsoleRing.OutputSize - ring.Pending + 1);
            for (int i = 0; i < count; i++)
            {
                GuestSays(written++);
            }

            int got = ring.Peek(buffer);
            Assert.Equal(Math.Min(buffer.Length, ring.Pending), got);
            for (int i = 0; i < got; i++)
            {
                Assert.Equal(read++, buffer[i]);
            }

            ring.Take(got);
            Assert.Equal(ring.Consumed, Get(3080));
        }
    }

    [Fact]
    public void WhatIsPeekedAtAndNotTakenIsThereForTheNextDaemon()
    {
        foreach (byte b in Encoding.ASCII.GetBytes("hello"))
        {
            GuestSays(b);
        }

        byte[] buffer = new byte[16];
        Assert.Equal(5, new ConsoleRing(_page).Peek(buffer));
        ConsoleRing next = new(_page);
        Assert.Equal("hello", Encoding.ASCII.GetString(buffer, 0, next.Peek(buffer)));
        next.Take(5);
        Assert.Equal(0, new ConsoleRing(_page).Pending);
    }

    [Fact]
    public void InputStopsWhereTheGuestHasNoRoomAndGoesOnAfterItHasRead()
    {
        ConsoleRing ring = new(_page);
        byte[] text = new byte[1500];
        Array.Fill(text, (byte)'x');
        Assert.Equal(ConsoleRing.InputSize, ring.Write(text));
        Assert.Equal(0, ring.Write(text));
        Put(3072, 10);
        Assert.Equal(10, ring.Write(text));
        Assert.Equal(ConsoleRing.InputSize + 10U, Get(3076));
    }

    [Theory]
    [InlineData(2049)]
    [InlineData(uint.MaxValue)]
    [InlineData(0x8000_0000)]
    public void CountersThatCannotBeRightAreNothingNew(uint produced)
    {
        ConsoleRing ring = new(_page);
        Put(3084, produced);
        Assert.Equal(0, ring.Pending);
        Assert.Equal(0, ring.Peek(new byte[4096]));
        Put(3072, 5);
        Assert.Equal(0, ring.Write("abc"u8));
        Put(3084, 1);
        Assert.Equal(1, ring.Pending);
    }

    [Fact]
    public void OurCountersAreNotTheGuestsToSet()
    {
        ConsoleRing ring = new(_page);
        GuestSays(1);
        Put(3080, 500);
        Put(3076, 77);
        Assert.Equal(1, ring.Peek(new byte[10]));
        ring.Take(1);
        Assert.Equal(1U, Get(3080));
        Assert.Equal(3, ring.Write("abc"u8));
        Assert.Equal(3U, Get(3076));
    }

    [Fact]
    public void AnyPageIsServedWithoutFault()
    {
        Random random = new(11);
        byte[] buffer = new byte[4096];
        for (int round = 0; round < 5000; round++)
        {
            random.NextBytes(_page);
            ConsoleRing ring = new(_page);
            random.NextBytes(_page.AsSpan(3072, 16));
            int got = ring.Peek(buffer);
            Assert.InRange(got, 0, ConsoleRing.OutputSize);
            ring.Take(got);
            Assert.InRange(ring.Write(buffer), 0, ConsoleRing.InputSize);
        }
    }

    private void GuestSays(byte value)
    {
        uint produced = Get(3084);
        _page[1024 + (produced % 2048)] = value;
        Put(3084, produced + 1);
    }

    private uint Get(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_page.AsSpan(offset));

    private void Put(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(offset), value);
}
