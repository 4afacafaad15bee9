// Rings: well-behaved guests lose nothing, the others harm nobody but themselves.

using System.Text;
using Xenod.Xenstore;
using Xenod.Xenstore.Machine;
using Xenod.Xenstore.Transports;
using Xenolith.Toolstack.Xenstore;
using Xenolith.UnitTests.Support;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class RingTests
{
    private readonly RingWorld _world = new();

    public static IEnumerable<TheoryDataRow<int>> Seeds => Soak.Seeds(1, 12);

    [Fact]
    public void Domain0sKernelIsToldOnceThatTheServerIsThere()
    {
        RingWorld world = new(domain0: true);
        int events = 0;
        world.Host.Guests[0] = () => events++;
        world.Run();
        Assert.Equal(1, events);
        Assert.Equal("OK|", world.Ask(0, Write, "x|1"));
    }

    [Fact]
    public void AMessageLongerThanTheRingPasses()
    {
        _world.Introduce(5);
        string value = new('v', 2048);
        Assert.Equal("OK|", _world.Ask(5, Write, "x|" + value));
        Assert.Equal(value, _world.Ask(5, Read, "x|"));
    }

    [Fact]
    public void PositionsMayWrapAround()
    {
        _world.AddPage(5);
        foreach (int offset in (int[])[RingChannel.RequestConsumer, RingChannel.RequestProducer, RingChannel.ResponseConsumer, RingChannel.ResponseProducer])
        {
            _world.Host.Pages[5][offset] = uint.MaxValue - 20;
        }
        _world.Introduce(5);
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal("OK|", _world.Ask(5, Write, $"x|{i}"));
        }
        Assert.Equal("9", _world.Ask(5, Read, "x|"));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void GuestsThatMoveAtAnyTimeGetEveryReplyInOrder(int seed)
    {
        Random random = new(seed);
        uint[] domains = [5, 6, 7];
        foreach (uint domain in domains)
        {
            _world.Introduce(domain);
        }
        Dictionary<uint, int> sent = domains.ToDictionary(domain => domain, _ => 0);
        const int Requests = 60;
        void Move()
        {
            uint domain = domains[random.Next(domains.Length)];
            LinuxGuest guest = _world.Guests[domain];
            if (!guest.HasToSend && sent[domain] < Requests && random.Next(2) == 0)
            {
                int request = ++sent[domain];
                guest.Send(request % 2 == 1
                    ? XenstoreHeader.Format(Write, (uint)request, 0, Encoding.ASCII.GetBytes($"x\0{new string('v', random.Next(2048))}"))
                    : XenstoreHeader.Format(Read, (uint)request, 0, "x\0"u8));
            }
            guest.WriteSome(random.Next(1, 1500));
            guest.ReadSome(random.Next(1, 1500));
        }
        foreach (uint domain in domains)
        {
            _world.Host.Pages[domain].BeforeAccess = () =>
            {
                if (random.Next(3) == 0)
                {
                    Move();
                }
            };
        }
        for (int step = 0; step < 200000 && domains.Any(domain => _world.Guests[domain].Messages.Count < Requests); step++)
        {
            Move();
            _world.Run();
        }
        foreach (uint domain in domains)
        {
            Assert.Equal(Enumerable.Range(1, Requests).Select(request => (uint)request), _world.Guests[domain].Messages.Select(message => message.Request));
            Assert.DoesNotContain(_world.Guests[domain].Messages, message => message.Operation == Error);
        }
    }

    [Theory]
    [InlineData(RingChannel.RequestProducer, 1025u)]
    [InlineData(RingChannel.RequestProducer, uint.MaxValue)]
    [InlineData(RingChannel.RequestProducer, 0x80000000u)]
    public void ARequestPositionThatCannotBeEndsTheConnection(int offset, uint value)
    {
        _world.Introduce(5);
        _world.Introduce(6);
        _world.Ask(5, XenstoreOperation.Watch, "x|t|");
        _world.Host.Pages[5][offset] += value;
        _world.Event(5);
        _world.Run();
        Assert.True(_world.Connection(5).Broken);
        Assert.Empty(_world.Connection(5).Watches);
        Assert.Equal("OK|", _world.Ask(6, Write, "x|1"));
    }

    [Fact]
    public void AReplyPositionThatCannotBeEndsTheConnection()
    {
        _world.Introduce(5);
        _world.Host.Pages[5][RingChannel.ResponseConsumer] = 5000;
        _world.Guests[5].Send(XenstoreHeader.Format(Read, 1, 0, "x\0"u8));
        _world.Guests[5].WriteSome(4096);
        _world.Run();
        Assert.True(_world.Connection(5).Broken);
    }

    [Fact]
    public void AMessageThatIsTooLongEndsTheConnectionUntilTheDomainIsIntroducedAgain()
    {
        _world.Introduce(5);
        byte[] header = new byte[XenstoreHeader.Size];
        new XenstoreHeader(Read, 1, 0, 4097).Write(header);
        _world.Guests[5].Send(header);
        _world.Guests[5].WriteSome(4096);
        _world.Run();
        Assert.True(_world.Connection(5).Broken);
        _world.Introduce(5);
        Assert.False(_world.Connection(5).Broken);
        Assert.Equal("OK|", _world.Ask(5, Write, "x|1"));
    }

    [Fact]
    public void AGuestThatDoesNotReadIsNotServedAndCostsBoundedMemory()
    {
        _world.Introduce(5);
        _world.Introduce(6);
        Assert.Equal("OK|", _world.Ask(5, Write, "x|" + new string('v', 2000)));
        LinuxGuest guest = _world.Guests[5];
        for (int i = 0; i < 1000; i++)
        {
            guest.Send(XenstoreHeader.Format(Read, (uint)i, 0, "x\0"u8));
            while (guest.HasToSend && guest.WriteSome(4096))
            {
                _world.Run();
            }
            Assert.InRange(_world.Connection(5).QueuedBytes, 0, StoreLimits.Default.QueuedBytes + 4096);
        }
        Assert.True(guest.HasToSend);
        Assert.Equal("OK|", _world.Ask(6, Write, "x|1"));
        while (guest.HasToSend || guest.ReadSome(700))
        {
            guest.ReadSome(700);
            guest.WriteSome(700);
            _world.Run();
        }
        Assert.Equal(1001, guest.Messages.Count);
    }

    [Fact]
    public void AFloodingGuestDelaysAnotherByOneShareOnly()
    {
        _world.Introduce(5);
        _world.Introduce(6);
        LinuxGuest flood = _world.Guests[5];
        int taken = 0;
        _world.Host.Pages[5].BeforeAccess = () =>
        {
            while (!flood.HasToSend || flood.WriteSome(4096))
            {
                flood.Send(XenstoreHeader.Format(GetDomainPath, (uint)++taken, 0, "1\0"u8));
            }
            flood.ReadSome(4096);
        };
        _world.Event(5);
        _world.Run(10);
        int before = flood.Messages.Count;
        Assert.InRange(before, 100, 10 * 40);
        _world.Guests[6].Send(XenstoreHeader.Format(Write, 1, 0, "x\0y"u8));
        _world.Guests[6].WriteSome(4096);
        _world.Run(2);
        Assert.True(_world.Guests[6].ReadSome(4096));
        Assert.InRange(flood.Messages.Count - before, 1, 100);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void RandomPagesHarmNobodyElse(int seed)
    {
        Random random = new(seed);
        _world.Introduce(6);
        Assert.Equal("OK|", _world.Ask(6, Write, "x|1"));
        for (int round = 0; round < 20; round++)
        {
            _world.Introduce(5);
            FakePage page = _world.Host.Pages[5];
            page.BeforeAccess = () =>
            {
                switch (random.Next(12))
                {
                    case 0:
                        page[2048 + 4 * random.Next(7)] = (uint)random.NextInt64();
                        break;
                    case 1:
                        page[RingChannel.RequestProducer] += (uint)random.Next(600);
                        break;
                    case 2:
                        page[RingChannel.ResponseConsumer] = page[RingChannel.ResponseProducer];
                        break;
                    case 3:
                        random.NextBytes(page.Memory.AsSpan(random.Next(1024), random.Next(64)));
                        break;
                    default:
                        FuzzTests.RandomMessage(random).AsSpan(0, 16).CopyTo(page.Memory.AsSpan(16 * random.Next(64)));
                        break;
                }
            };
            for (int i = 0; i < 50; i++)
            {
                page[RingChannel.RequestProducer] += (uint)random.Next(200);
                _world.Event(5);
                _world.Run(100);
            }
            page.BeforeAccess = null;
            Assert.Equal("1", _world.Ask(6, Read, "x|"));
        }
        Assert.Equal("OK", _world.Check());
    }

    [Fact]
    public void DomainsThatAreGoneAreNoticed()
    {
        _world.Introduce(5);
        _world.Introduce(6);
        _world.Host.Domains.RemoveAll(state => state.Domain == 5);
        _world.Host.Domains.RemoveAll(state => state.Domain == 6);
        _world.Host.Domains.Add(new DomainState(6, ShutDown: true, Dying: false));
        _world.Core.DomainsChanged();
        _world.Run();
        Assert.Equal([6U], _world.Host.Bound.Keys);
        Assert.True(_world.Connection(6).Link!.ShutDown);
        _world.Host.Domains[^1] = new DomainState(6, ShutDown: true, Dying: true);
        _world.Core.DomainsChanged();
        Assert.Empty(_world.Host.Bound);
    }
}
