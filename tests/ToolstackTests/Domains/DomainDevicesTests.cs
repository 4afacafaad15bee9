// Disks and network interfaces of domains in the daemon's hands; the kernel's part is played by a fake.
using System.Net;
using System.Net.NetworkInformation;
using System.Text.Json;
using Xenod.Domains;
using Xenod.Networks;
using Xenolith.Abi;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.Networks;
using Xenolith.Toolstack.Tests.BootDisks;
using Xenolith.Toolstack.Tests.Building;
using Xenolith.Toolstack.Tests.Support;
using Xenolith.Toolstack.Xenstore;

namespace Xenolith.Toolstack.Tests.Domains;

[Collection(MachineCollection.Name)]
public sealed class DomainDevicesTests : IAsyncLifetime
{
    private readonly HostedMachine _machine = new();
    private readonly Guid _uuid = new("12345678-1234-1234-1234-123456789abc");
    private ManagerHarness _daemon = null!;
    private string _disk = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private DomainManager Manager => _daemon.Manager;

    public async ValueTask InitializeAsync()
    {
        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation);
        _disk = _daemon.Disks.Make("root.img");
    }

    public async ValueTask DisposeAsync()
    {
        await _daemon.DisposeAsync();
        _machine.Dispose();
    }

    [Fact]
    public async Task ADomainHasTheDisksOfItsConfigurationAndLeavesNoneOfThem()
    {
        string second = _daemon.Disks.Make("data.img");
        ushort id = await CreateAsync(Disks($"{_disk},raw,xvda,w", $"{second},raw,xvdb,r"));
        Assert.Equal([new DiskView("xvda", _disk, _disk, false, true), new DiskView("xvdb", second, second, true, true)], await ConnectedDisksAsync(2));
        string front = $"/local/domain/{id}/device/vbd/51712", back = $"/local/domain/0/backend/vbd/{id}/51712";
        Assert.Equal(back, await _daemon.Store.ReadTextAsync($"{front}/backend", Cancellation));
        Assert.Equal([XenstorePermission.Owner(id), XenstorePermission.Reader(0)], await _daemon.Store.GetPermissionsAsync($"{front}/state", Cancellation));
        Assert.Equal([XenstorePermission.Owner(0), XenstorePermission.Reader(id)], await _daemon.Store.GetPermissionsAsync($"{back}/params", Cancellation));
        Assert.Equal("7:0", await _daemon.Store.ReadTextAsync($"{back}/physical-device", Cancellation));
        await Manager.DestroyAsync("web", Cancellation);
        Assert.Empty(_daemon.Disks.Served);
        Assert.Empty(await _daemon.Store.TryListAsync("/local/domain/0/backend/vbd", Cancellation) ?? []);
    }

    [Theory]
    [InlineData("w", "w", false)]
    [InlineData("r", "w", false)]
    [InlineData("w", "r", false)]
    [InlineData("r", "r", true)]
    [InlineData("w", "w!", true)]
    public async Task ADiskIsWrittenByOneOrReadByMany(string first, string second, bool isAllowed)
    {
        await CreateAsync(Disks($"{_disk},raw,xvda,{first}"));
        Task other = Manager.CreateAsync(Guid.NewGuid(), _machine.Settings("other", Disks($"{_disk},raw,xvda,{second}")), false, Cancellation);
        if (isAllowed)
        {
            await other;
            return;
        }

        DomainServiceException refused = await Assert.ThrowsAsync<DomainServiceException>(() => other);
        Assert.Equal(Refusal.Conflict, refused.Refusal);
        Assert.Contains("is a disk of domain", refused.Message, StringComparison.Ordinal);
        Assert.Single(_daemon.Disks.Served);
        Assert.Equal(["Domain-0", "web"], (await Manager.ListAsync(Cancellation)).Select(domain => domain.Name));
    }

    [Fact]
    public async Task WithoutAKernelADomainBootsFromItsFirstDisk()
    {
        using DiskImage image = new();
        image.Write("boot/grub/grub.cfg", DiskImage.Menu);
        image.Write("boot/vmlinuz-6", await File.ReadAllBytesAsync(_machine.Kernel, Cancellation));
        image.Write("boot/initrd.img-6", "a RAM disk");
        string disk = image.Format("-t", "ext4");
        string settings = $$"""{"name": "web", "bootloader": "pygrub", "extra": "single", "memory": 24, "disk": ["{{disk}},raw,xvda,w"]}""";
        await Manager.CreateAsync(_uuid, JsonDocument.Parse(settings).RootElement, false, Cancellation);
        ushort id = (ushort)(await Manager.GetAsync("web", Cancellation)).Id!;
        BuiltMemory memory = new(_daemon.Control, id);
        byte[] expected = "root=/dev/xvda1 ro quiet single\0"u8.ToArray();
        Assert.Equal(expected, memory.Read(memory.StartInfoAddress + StartInfoLayout.CommandLine, expected.Length));
        Assert.Equal((ulong)"a RAM disk".Length, memory.StartInfo(StartInfoLayout.ModuleBytes));
        await Manager.DestroyAsync("web", Cancellation);

        string empty = settings.Replace(disk, _disk, StringComparison.Ordinal);
        DomainServiceException refused = await Assert.ThrowsAsync<DomainServiceException>(() => Manager.CreateAsync(_uuid, JsonDocument.Parse(empty).RootElement, false, Cancellation));
        Assert.Equal(Refusal.Invalid, refused.Refusal);
        Assert.Contains($"{_disk} cannot be booted from", refused.Message, StringComparison.Ordinal);
        Assert.False(_machine.HasRecords);
    }

    [Fact]
    public async Task ADiskThatIsNotThereLeavesNoDomainAndNoDisk()
    {
        DomainServiceException refused = await Assert.ThrowsAsync<DomainServiceException>(() => CreateAsync(Disks($"{_disk},raw,xvda,w", "/nowhere.img,raw,xvdb,w")));
        Assert.Contains("/nowhere.img", refused.Message, StringComparison.Ordinal);
        Assert.Empty(_daemon.Disks.Served);
        Assert.False(_machine.HasRecords);
    }

    [Fact]
    public async Task DisksComeAndGoWhileTheDomainRunsAndAreThereAgainAfterItsReboot()
    {
        string second = _daemon.Disks.Make("data.img");
        await CreateAsync(Disks($"{_disk},raw,xvda,w"));
        await Manager.AttachDiskAsync("web", $"{second},raw,xvdb,w", Cancellation);
        Assert.Equal(2, (await ConnectedDisksAsync(2)).Count);
        await Manager.DetachDiskAsync("web", "xvda", isForced: false, Cancellation);
        Assert.Equal(["xvdb"], (await ConnectedDisksAsync(1)).Select(disk => disk.Name));
        Assert.Equal([second], _daemon.Disks.Served);
        await Assert.ThrowsAsync<DomainServiceException>(() => Manager.DetachDiskAsync("web", "xvda", isForced: true, Cancellation));

        ushort id = _machine.Record(_uuid).Id!.Value;
        _daemon.Control.Domains.ForceShutdown(id, ShutdownReason.Reboot);
        Manager.LookAgain();
        await _daemon.UntilAsync("web", view => view?.Id is not null && view.Id != id, Cancellation);
        Assert.Equal(["xvdb"], (await ConnectedDisksAsync(1)).Select(disk => disk.Name));
    }

    [Fact]
    public async Task ADiskThatTheGuestHasClosedByItselfIsTakenAway()
    {
        ushort id = await CreateAsync(Disks($"{_disk},raw,xvda,w"));
        await ConnectedDisksAsync(1);
        DeviceAddress device = new(DeviceAddress.Disk, id, 51712);
        await _daemon.Store.WriteAsync($"{device.BackEnd}/state", (long)XenbusState.Closed, Cancellation);
        while (!_daemon.BackEnds.Closed.ContainsKey(device))
        {
            await Task.Delay(1, Cancellation);
        }

        await Manager.DetachDiskAsync("web", "xvda", isForced: false, Cancellation);
        Assert.Empty(_daemon.Disks.Served);
    }

    [Fact]
    public async Task AnInterfaceHasItsAddressesAndItsLocksBeforeItsFirstPacket()
    {
        ushort id = await CreateAsync(", \"vif\": [\"\"]");
        InterfaceView one = Assert.Single(await Manager.ListInterfacesAsync("web", Cancellation));
        Assert.Equal((0u, $"vif{id}.0", "xenbr0"), (one.Index, one.Name, one.Bridge));
        Assert.StartsWith("00:16:3e:", one.Mac, StringComparison.Ordinal);
        string address = one.Addresses[0];
        Assert.StartsWith("10.87.0.", address, StringComparison.Ordinal);
        byte[] mac = PhysicalAddress.Parse(one.Mac.Replace(':', '-')).GetAddressBytes();
        string six = IPAddress.Parse($"fd58:656e:6f6c:0:{mac[0] ^ 2:x2}{mac[1]:x2}:{mac[2]:x2}ff:fe{mac[3]:x2}:{mac[4]:x2}{mac[5]:x2}").ToString();
        Assert.Equal([address, six], one.Addresses);
        string script = Assert.Single(_daemon.Network.Scripts);
        Assert.Contains($"ether saddr != {one.Mac} counter drop", script, StringComparison.Ordinal);
        Assert.Contains($"ip saddr != {{ {address} }} counter drop", script, StringComparison.Ordinal);
        Assert.Equal([$"vif{id}.0 vif{id}.0 xenbr0"], _daemon.Network.Joined);
        string lease = Assert.Single(Directory.GetFiles(Path.Combine(_machine.Directory, "hosts")));
        Assert.Equal($"{one.Mac},{address},web\n", await File.ReadAllTextAsync(lease, Cancellation));

        await Manager.SetRulesAsync("web", 0, ["deny out tcp port 25", "forward tcp 8080 to 80"], Cancellation);
        Assert.Contains("tcp dport 25 counter drop", _daemon.Network.Scripts[^1], StringComparison.Ordinal);
        Assert.Equal(["deny out tcp port 25", "forward tcp 8080 to 80"], (await Manager.ListInterfacesAsync("web", Cancellation))[0].Rules);
        await Assert.ThrowsAsync<DomainServiceException>(() => Manager.SetRulesAsync("web", 0, ["perhaps"], Cancellation));
        await Assert.ThrowsAsync<DomainServiceException>(() => Manager.SetRulesAsync("web", 7, [], Cancellation));

        await Manager.DestroyAsync("web", Cancellation);
        Assert.Contains("delete element ip xenolith forward_tcp { 8080 }", _daemon.Network.Scripts[^2], StringComparison.Ordinal);
        Assert.Contains($"delete chain bridge xenolith sent_vif{id}.0", _daemon.Network.Scripts[^1], StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(_machine.Directory, "hosts")));
    }

    [Fact]
    public async Task RulesAndAddressesStayWhenTheDomainStartsAgainAndWhenTheDaemonDoes()
    {
        ushort id = await CreateAsync(", \"vif\": [\"\"]");
        await Manager.SetRulesAsync("web", 0, ["deny out tcp port 25"], Cancellation);
        InterfaceView before = (await Manager.ListInterfacesAsync("web", Cancellation))[0];
        await _daemon.DisposeAsync();
        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation);
        Assert.Equal(before.Rules, (await Manager.ListInterfacesAsync("web", Cancellation))[0].Rules);

        _daemon.Control.Domains.ForceShutdown(id, ShutdownReason.Reboot);
        Manager.LookAgain();
        await _daemon.UntilAsync("web", view => view?.Id is not null && view.Id != id, Cancellation);
        InterfaceView after = await InterfaceAsync();
        Assert.Equal((before.Mac, before.Addresses[0], before.Rules[0]), (after.Mac, after.Addresses[0], after.Rules[0]));
    }

    [Fact]
    public async Task TheAddressOfAnInterfaceThatIsTakenAwayIsFree()
    {
        await CreateAsync(", \"vif\": [\"\"]");
        await Manager.AttachInterfaceAsync("web", "rules=deny out", Cancellation);
        Assert.Equal(["deny out"], (await Manager.ListInterfacesAsync("web", Cancellation))[1].Rules);
        Assert.Equal(2, Directory.GetFiles(Path.Combine(_machine.Directory, "hosts")).Length);
        await Manager.DetachInterfaceAsync("web", 1, isForced: true, Cancellation);
        Assert.Single(Directory.GetFiles(Path.Combine(_machine.Directory, "hosts")));
    }

    [Fact]
    public async Task AddressesOfADomainWhoseInterfacesAreGoneBeforeItAreFree()
    {
        ushort id = await CreateAsync(", \"vif\": [\"\"]");
        await new DeviceBus(_daemon.Store).RemoveByForceAsync(new DeviceAddress(DeviceAddress.Interface, id, 0));
        await Manager.DestroyAsync("web", Cancellation);
        Assert.Empty(Directory.GetFiles(Path.Combine(_machine.Directory, "hosts")));
    }

    /// <summary>Devices that the kernels know but no record does: the daemon was killed before it could note them, and nobody was told that they are there.</summary>
    [Fact]
    public async Task DevicesThatWereHalfAttachedWhenTheDaemonWasKilledAreTakenAway()
    {
        await CreateAsync(Disks($"{_disk},raw,xvda,w") + ", \"vif\": [\"\"]");
        DomainRecord before = _machine.Record(_uuid);
        await Manager.AttachDiskAsync("web", $"{_daemon.Disks.Make("data.img")},raw,xvdb,w", Cancellation);
        await Manager.AttachInterfaceAsync("web", "", Cancellation);
        await _daemon.DisposeAsync();
        new DomainRecords(Path.Combine(_machine.Directory, "domains")).Save(before);
        string lost = Path.Combine(_machine.Directory, "hosts", "00-16-3e-00-00-01");
        await File.WriteAllTextAsync(lost, "00:16:3e:00:00:01,10.87.0.14,gone\n", Cancellation);

        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation);
        Assert.Equal(["xvda"], (await Manager.ListDisksAsync("web", Cancellation)).Select(disk => disk.Name));
        Assert.Equal([_disk], _daemon.Disks.Used!);
        InterfaceView kept = Assert.Single(await Manager.ListInterfacesAsync("web", Cancellation));
        Assert.Equal(kept.Mac.Replace(':', '-'), Path.GetFileName(Assert.Single(Directory.GetFiles(Path.Combine(_machine.Directory, "hosts")))));
    }

    /// <summary>The daemon was killed between the packet filter and its own notes: the notes count.</summary>
    [Fact]
    public async Task ThePacketFilterIsMadeAsTheInterfacesWantIt()
    {
        ushort id = await CreateAsync(", \"vif\": [\"ip=10.87.0.9, rules=deny out tcp port 25; forward tcp 8080 to 80\"]");
        string name = $"vif{id}.0";
        string[] rules = ["deny out tcp port 25"];
        ForwardedPort[] own = [.. (await InterfaceAsync()).Addresses.Select(address => new ForwardedPort("tcp", 8080, IPAddress.Parse(address), 80))];
        Assert.Equal(2, own.Length);
        ForwardedPort stray = new("udp", 99, IPAddress.Parse("10.87.0.14"), 9);
        Assert.Equal([FirewallScript.Remove("vif99.0"), FirewallScript.Unforward([stray])], await ScriptsAsync(rules, [.. own, stray]));
        string again = Assert.Single(await ScriptsAsync(["allow out"], own));
        Assert.StartsWith(FirewallScript.Unforward(own), again, StringComparison.Ordinal);
        Assert.Contains("tcp dport 25 counter drop", again, StringComparison.Ordinal);
        Assert.Contains("forward_tcp { 8080 : 10.87.0.9 . 80 }", Assert.Single(await ScriptsAsync(rules)), StringComparison.Ordinal);
        Assert.Contains("delete element ip xenolith forward_tcp { 8080 }", Assert.Single(await ScriptsAsync(rules, own[0] with { GuestPort = 81 }, own[1])), StringComparison.Ordinal);

        async Task<IReadOnlyList<string>> ScriptsAsync(string[] known, params ForwardedPort[] forwarded)
        {
            await _daemon.DisposeAsync();
            _daemon = await ManagerHarness.StartAsync(_machine, Cancellation, daemon =>
            {
                daemon.Network.State = new FilterState(forwarded.Contains(stray) ? [name, "vif99.0"] : [name], forwarded);
                daemon.Network.Chains[FirewallScript.Sent(name)] = known;
            });
            return _daemon.Network.Scripts;
        }
    }

    [Fact]
    public async Task ARoutedInterfaceHasABridgeOfItsOwnForAsLongAsItLives()
    {
        ushort id = await CreateAsync(", \"vif\": [\"\", \"gatewaydev=eth0, ip=192.0.2.5 2001:db8::5, rules=forward tcp 8080 to 80\"]");
        InterfaceView routed = (await Manager.ListInterfacesAsync("web", Cancellation))[1];
        Assert.Equal(("eth0", $"xrt{id}.1"), (routed.GatewayDevice, routed.Bridge));
        Assert.Equal(["192.0.2.5", "2001:db8::5"], routed.Addresses);
        Assert.Contains($"vif{id}.1 vif{id}.1 xrt{id}.1", _daemon.Network.Joined);
        Assert.Equal("192.0.2.5 2001:db8::5", await _daemon.Store.TryReadTextAsync($"/local/domain/{id}/device/vif/1/ip", Cancellation));

        await Manager.DetachInterfaceAsync("web", 1, isForced: false, Cancellation);
        Assert.Empty(_daemon.Network.Routed);
        await Manager.AttachInterfaceAsync("web", "gatewaydev=eth0, ip=192.0.2.5", Cancellation);
        Assert.Equal([$"xrt{id}.1"], _daemon.Network.Routed);
        await Manager.DestroyAsync("web", Cancellation);
        Assert.Empty(_daemon.Network.Routed);
    }

    /// <summary>The daemon was killed between the interface and its bridge.</summary>
    [Fact]
    public async Task BridgesOfRoutedInterfacesThatAreNoMoreAreTakenAway()
    {
        ushort id = await CreateAsync(", \"vif\": [\"gatewaydev=eth0, ip=192.0.2.5\"]");
        await _daemon.DisposeAsync();
        string[] others = ["xrtfoo", "xrt1.0x", "br0"];
        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation, daemon => daemon.Network.Routed.AddRange([$"xrt{id}.0", $"xrt{id}.1", "xrt99.0", .. others]));
        Assert.Equal([$"xrt{id}.0", .. others], _daemon.Network.Routed);
    }

    [Theory]
    [InlineData("bridge=other", "there is no bridge 'other'")]
    [InlineData("gatewaydev=eth9, ip=192.0.2.5", "there is no network device 'eth9'")]
    [InlineData("ip=10.87.0.9, bridge=xenbr0", null)]
    public async Task AnInterfaceThatCannotBeHadLeavesNothing(string text, string? problem)
    {
        Task<ushort> made = CreateAsync($", \"vif\": [\"{text}\"]");
        if (problem is null)
        {
            await made;
            Assert.Equal("10.87.0.9", (await Manager.ListInterfacesAsync("web", Cancellation))[0].Addresses[0]);
            return;
        }

        DomainServiceException refused = await Assert.ThrowsAsync<DomainServiceException>(() => made);
        Assert.Contains(problem, refused.Message, StringComparison.Ordinal);
        Assert.False(_machine.HasRecords);
    }

    [Fact]
    public async Task AnInterfaceThatTheKernelCannotJoinIsTakenBack()
    {
        _daemon.Network.Failure = "there is no such device";
        DomainServiceException refused = await Assert.ThrowsAsync<DomainServiceException>(() => CreateAsync(", \"vif\": [\"\"]"));
        Assert.Contains("there is no such device", refused.Message, StringComparison.Ordinal);
        Assert.Empty(await _daemon.Store.TryListAsync("/local/domain/0/backend/vif", Cancellation) ?? []);
        Assert.Empty(Directory.GetFiles(Path.Combine(_machine.Directory, "hosts")));
    }

    private static string Disks(params string[] disks) => $", \"disk\": {JsonSerializer.Serialize(disks)}";

    private async Task<ushort> CreateAsync(string devices)
        => (ushort)(await Manager.CreateAsync(_uuid, _machine.Settings("web", devices), false, Cancellation)).Domain.Id!.Value;

    /// <summary>A domain that starts again has its interface a moment after its number.</summary>
    private async Task<InterfaceView> InterfaceAsync()
    {
        while (true)
        {
            if ((await Manager.ListInterfacesAsync("web", Cancellation)).FirstOrDefault(one => one.IsConnected) is { } found)
            {
                return found;
            }

            await Task.Delay(1, Cancellation);
        }
    }

    /// <summary>The guest's driver needs a moment.</summary>
    private async Task<IReadOnlyList<DiskView>> ConnectedDisksAsync(int count)
    {
        while (true)
        {
            IReadOnlyList<DiskView> disks = await Manager.ListDisksAsync("web", Cancellation);
            if (disks.Count == count && disks.All(disk => disk.IsConnected))
            {
                return disks;
            }

            await Task.Delay(1, Cancellation);
        }
    }
}
