// Events between vcpus on several processors, in many orders.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;
using Step = Xenolith.UnitTests.Interleavings.GuestMachine.Step;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>
/// One vcpu sends, another receives as a kernel does: the callback clears the pending byte, takes the selector, then the bits. Each event
/// carries a number in memory; a lost wake-up leaves the receiver waiting for the last of them when the machine stops.
/// </summary>
[Trait(Soak.Kind, Soak.Random)]
public sealed class EventTests
{
    private const int Events = 3;
    private const ulong Send = 4;
    private const ulong Unmask = 9;
    private const ulong PollOperation = 3;

    private TestDomain _domain = null!;
    private uint _port;
    private int _sent;
    private int _received;

    /// <summary>The receiver blocks between events; there are as many processors as vcpus, or fewer.</summary>
    [Theory]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(2, true)]
    public void AVcpuThatBlocksIsWoken(int processors, bool hasThirdVcpu)
        => Explorer.Explore(() => Run(processors, hasThirdVcpu, Blocks, () => Handle(false)), 30);

    /// <summary>The receiver does not block but computes, without any hypercall: only an interrupt can tell it.</summary>
    [Fact]
    public void AVcpuThatComputesIsInterrupted() => Explorer.Explore(() => Run(2, false, Computes, () => Handle(false)), 60);

    /// <summary>The callback masks the port, and unmasks it by hypercall when it has done.</summary>
    [Fact]
    public void AnEventOfAMaskedPortComesAtTheUnmask() => Explorer.Explore(() => Run(2, false, Blocks, () => Handle(true)), 40);

    /// <summary>Without its callback: the port is masked and the receiver polls it.</summary>
    [Fact]
    public void AVcpuThatPollsIsWoken() => Explorer.Explore(() => Run(2, false, Polls, () => Handle(false)), 40);

    /// <summary>The pending byte goes down at any moment while it is set: either it is up already, or its vcpu is told.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AVcpuThatTakesItsPendingByteDownMeanwhileIsTold(int moment)
    {
        _domain = TestDomain.Create();
        Info.UpcallPending = 1;
        Interleaving.OnAccess = () =>
        {
            if (moment-- == 0)
            {
                Info.UpcallPending = 0;
            }
        };
        bool isTold = VcpuInfoPage.MarkPending(ref _domain.Vcpu(1), 0);
        Interleaving.OnAccess = null;
        bool wentDown = moment < 0;
        Assert.Equal(1, Info.UpcallPending);
        Assert.Equal(wentDown, isTold);
    }

    private void Run(int processors, bool hasThirdVcpu, GuestMachine.Program receiver, GuestMachine.Program handler)
    {
        _domain = TestDomain.Create(vcpus: 3);
        _sent = 0;
        _received = 0;
        _domain.Store32(0, 1);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 7, _domain.Arguments));
        _port = _domain.Load32(4);
        GuestMachine machine = new();
        machine.Add(_domain, 0, Sends, None);
        machine.Add(_domain, 1, receiver, handler);
        if (hasThirdVcpu)
        {
            machine.Add(_domain, 2, Yields, None);
        }

        machine.Run(processors);
    }

    private IEnumerable<Step> Sends()
    {
        StorePort(0);
        while (_sent < Events)
        {
            _sent++;
            yield return new Step(HypercallNumber.EventChannelOp, Send, Arguments(0));
            yield return Step.None;
        }
    }

    private IEnumerable<Step> Blocks()
    {
        while (_received < Events)
        {
            yield return Step.None;
            ControlledVolatile.Write(ref Info.UpcallMask, 1);
            if (_received < Events)
            {
                yield return Step.Block;
            }
        }
    }

    private IEnumerable<Step> Computes()
    {
        ControlledVolatile.Write(ref Info.UpcallMask, 0);
        if (ControlledVolatile.Read(ref Info.UpcallPending) != 0)
        {
            // Any hypercall has the event delivered on its way out.
            yield return new Step(HypercallNumber.XenVersion);
        }

        while (_received < Events)
        {
            yield return Step.Pause;
        }
    }

    private IEnumerable<Step> Polls()
    {
        ControlledInterlocked.Or(ref Word(SharedInfoLayout.EventMask), Bit);
        ulong arguments = Arguments(1);
        PhysicalMemory.Word(_domain.Fixed[6], 0) = arguments + 64;
        PhysicalMemory.Word(_domain.Fixed[6], 1) = 1;
        PhysicalMemory.Word(_domain.Fixed[6], 2) = 0;
        PhysicalMemory.Word32(_domain.Fixed[6], 64) = _port;
        while (_received < Events)
        {
            ControlledInterlocked.And(ref Word(SharedInfoLayout.EventPending), ~Bit);
            Look();
            if (_received < Events)
            {
                yield return new Step(HypercallNumber.SchedOp, PollOperation, arguments);
            }
        }
    }

    private IEnumerable<Step> Yields()
    {
        for (int i = 0; i < 3; i++)
        {
            yield return Step.Yield;
        }
    }

    private static IEnumerable<Step> None()
    {
        yield break;
    }

    private IEnumerable<Step> Handle(bool masks)
    {
        do
        {
            ControlledVolatile.Write(ref Info.UpcallPending, 0);
            yield return Step.None;
            ControlledInterlocked.Exchange(ref Info.PendingSelector, 0);
            if ((ControlledVolatile.Read(ref Word(SharedInfoLayout.EventPending)) & ~ControlledVolatile.Read(ref Word(SharedInfoLayout.EventMask)) & Bit) == 0)
            {
                continue;
            }

            if (masks)
            {
                ControlledInterlocked.Or(ref Word(SharedInfoLayout.EventMask), Bit);
            }

            ControlledInterlocked.And(ref Word(SharedInfoLayout.EventPending), ~Bit);
            Look();
            if (masks)
            {
                yield return Step.None;
                StorePort(1);
                yield return new Step(HypercallNumber.EventChannelOp, Unmask, Arguments(1));
            }
        }
        while (ControlledVolatile.Read(ref Info.UpcallPending) != 0);
    }

    private void Look()
    {
        Interleaving.Changed();
        _received = _sent;
    }

    private ref VcpuInfo Info => ref VcpuInfoPage.Info(ref _domain.Vcpu(1));

    private ulong Bit => 1UL << (int)_port;

    private ref ulong Word(int offset) => ref PhysicalMemory.Word(_domain.Domain.SharedInfo, offset / 8);

    private static ulong Arguments(int vcpu) => 0xFFFF_FFFF_8000_0000 + ((ulong)vcpu * 4096);

    private void StorePort(int vcpu) => PhysicalMemory.Word32(_domain.Fixed[5 + vcpu], 0) = _port;
}
