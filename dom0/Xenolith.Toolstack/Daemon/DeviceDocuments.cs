// Devices as they go over the daemon's HTTP interface.
namespace Xenolith.Toolstack.Daemon;

/// <summary>A disk of a domain.</summary>
/// <param name="Name">Its name in the guest, such as <c>xvda</c>.</param>
/// <param name="Target">The file or block device of Domain 0 that it is kept in.</param>
/// <param name="Device">Domain 0's block device for it; null while there is none yet.</param>
/// <param name="IsReadOnly">The guest can only read it.</param>
/// <param name="IsConnected">The guest's driver uses it.</param>
public sealed record DiskView(string Name, string Target, string? Device, bool IsReadOnly, bool IsConnected);

/// <summary>The disks of a domain.</summary>
public sealed record DiskList(IReadOnlyList<DiskView> Disks);

/// <summary>A disk to attach.</summary>
/// <param name="Disk">As in an xl.cfg file, such as <c>/srv/disk.img,raw,xvdb,w</c>.</param>
public sealed record DiskRequest(string Disk);

/// <summary>What a rule of an interface's firewall has counted.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Packets">Packets that it has matched.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record RuleCounter(string Rule, long Packets, long Bytes);

/// <summary>A network interface of a domain.</summary>
/// <param name="Index">Which of the domain's interfaces.</param>
/// <param name="Name">Its name in Domain 0.</param>
/// <param name="Mac">The guest's Ethernet address.</param>
/// <param name="Bridge">The bridge that it has joined; a routed one has one of its own.</param>
/// <param name="GatewayDevice">The device of Domain 0 on whose network a routed interface's addresses lie; null where it is not routed.</param>
/// <param name="Addresses">The guest's addresses; it can use no others when there are any.</param>
/// <param name="IsConnected">The guest's driver uses it.</param>
/// <param name="Rules">Its firewall.</param>
/// <param name="Counters">What the rules and the locks have counted since they were set.</param>
public sealed record InterfaceView(
    uint Index, string Name, string Mac, string Bridge, string? GatewayDevice, IReadOnlyList<string> Addresses, bool IsConnected, IReadOnlyList<string> Rules, IReadOnlyList<RuleCounter> Counters);

/// <summary>The network interfaces of a domain.</summary>
public sealed record InterfaceList(IReadOnlyList<InterfaceView> Interfaces);

/// <summary>An interface to attach.</summary>
/// <param name="Interface">As in an xl.cfg file, such as <c>bridge=xenbr0</c>; empty = one of the private network.</param>
public sealed record InterfaceRequest(string Interface);

/// <summary>The rules of an interface, in the order in which they are asked.</summary>
public sealed record RuleList(IReadOnlyList<string> Rules);
