// The daemon of Domain 0: reads its arguments and runs until it is told to stop.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Microsoft.Extensions.Hosting.Systemd;
using Xenod;
using Xenod.Xenstore;
using Xenolith.Toolstack.Hypercalls;

DaemonOptions usual = new();
Option<string> apiSocket = new("--socket") { Description = "Unix socket of the HTTP interface", DefaultValueFactory = _ => usual.ApiSocket };
Option<IPEndPoint?> apiAddress = new("--listen") { Description = "address and port for the HTTP interface besides, such as 127.0.0.1:8080", CustomParser = Endpoint };
Option<FileInfo?> apiToken = new("--token-file") { Description = "file with the token that clients of that address show" };
Option<string> state = new("--state") { Description = "directory for the records of domains, empty after a boot of the machine", DefaultValueFactory = _ => usual.State };
Option<string> consoles = new("--consoles") { Description = "directory for what domains have said", DefaultValueFactory = _ => usual.Consoles };
Option<string> kernels = new("--kernels") { Description = "directory for unpacked kernels", DefaultValueFactory = _ => usual.Kernels };
Option<string> bootFiles = new("--boot-files") { Description = "directory for kernels and RAM disks of domains that boot from their own disks", DefaultValueFactory = _ => usual.BootFiles };
Option<string> storeSocket = new("--xenstore-socket") { Description = "where xenstore listens", DefaultValueFactory = _ => usual.Xenstore.Socket };
Option<string> storeJournal = new("--xenstore-journal") { Description = "where xenstore keeps its state, empty after a boot of the machine", DefaultValueFactory = _ => usual.Xenstore.Journal };
Option<string> bridge = new("--bridge") { Description = "bridge of the private network", DefaultValueFactory = _ => usual.Network.Bridge };
Option<IPNetwork> network = new("--network") { Description = "addresses of the private network, the first of which is Domain 0's", DefaultValueFactory = _ => usual.Network.Network, CustomParser = Network };
Option<IPNetwork?> network6 = new("--network6") { Description = "IPv6 addresses of the private network, 64 bits of network; 'none' for none", DefaultValueFactory = _ => usual.Network.Network6, CustomParser = Network6 };
Option<bool> storeOnly = new("--xenstore-only") { Description = "serve xenstore's socket alone, without a hypervisor" };

RootCommand root = new("Serves the domains of this machine: xenstore, consoles, and an HTTP interface to make and end them. It needs root in Domain 0.")
{
    apiSocket, apiAddress, apiToken, state, consoles, kernels, bootFiles, bridge, network, network6, storeSocket, storeJournal, storeOnly,
};
root.SetAction(async (arguments, cancellation) =>
{
    XenstoreOptions xenstore = new() { Socket = arguments.GetValue(storeSocket)!, Journal = arguments.GetValue(storeJournal)! };
    try
    {
        if (arguments.GetValue(storeOnly))
        {
            await Daemon.RunXenstoreAsync(xenstore, Log, Ready, cancellation);
            return 0;
        }

        string? token = arguments.GetValue(apiToken) is { } file ? File.ReadAllText(file.FullName).Trim() : null;
        if (arguments.GetValue(apiAddress) is not null && string.IsNullOrEmpty(token))
        {
            Console.Error.WriteLine("xenod: --listen lets others reach this machine: name a file with a token by --token-file");
            return 2;
        }

        await Daemon.RunAsync(
            new DaemonOptions
            {
                Xenstore = xenstore,
                ApiSocket = arguments.GetValue(apiSocket)!,
                ApiAddress = arguments.GetValue(apiAddress),
                ApiToken = token,
                State = arguments.GetValue(state)!,
                Consoles = arguments.GetValue(consoles)!,
                Kernels = arguments.GetValue(kernels)!,
                BootFiles = arguments.GetValue(bootFiles)!,
                Network = usual.Network with { Bridge = arguments.GetValue(bridge)!, Network = arguments.GetValue(network), Network6 = arguments.GetValue(network6) },
            },
            Log,
            Ready,
            cancellation);
        return 0;
    }
    catch (Exception exception) when (exception is XenException or IOException or UnauthorizedAccessException or InvalidDataException)
    {
        Console.Error.WriteLine($"xenod: {exception.Message}");
        return 1;
    }
});
return await root.Parse(args).InvokeAsync();

static void Log(string line) => Console.Error.WriteLine($"xenod: {line}");

static void Ready(string line)
{
    Console.WriteLine($"xenod: {line}");
    new SystemdNotifier().Notify(ServiceState.Ready);
}

static IPEndPoint? Endpoint(ArgumentResult argument)
{
    string text = argument.Tokens.Count > 0 ? argument.Tokens[0].Value : "";
    if (IPEndPoint.TryParse(text, out IPEndPoint? endpoint) && endpoint.Port != 0)
    {
        return endpoint;
    }

    argument.AddError($"'{text}' is no address with a port; write for example 127.0.0.1:8080");
    return null;
}

static IPNetwork Network(ArgumentResult argument)
{
    const int Longest = 29;
    string text = argument.Tokens.Count > 0 ? argument.Tokens[0].Value : "";
    if (IPNetwork.TryParse(text, out IPNetwork network) && network.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork && network.PrefixLength is >= 8 and <= Longest)
    {
        return network;
    }

    argument.AddError($"'{text}' is no IPv4 network of 8 addresses or more; write for example 10.87.0.0/24");
    return default;
}

static IPNetwork? Network6(ArgumentResult argument)
{
    const int Bits = 64;
    string text = argument.Tokens.Count > 0 ? argument.Tokens[0].Value : "";
    if (text == "none")
    {
        return null;
    }

    if (IPNetwork.TryParse(text, out IPNetwork network) && network.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 && network.PrefixLength == Bits)
    {
        return network;
    }

    argument.AddError($"'{text}' is no IPv6 network of {Bits} bits; write for example fd58:656e:6f6c::/64, or none");
    return null;
}
