// The daemon of Domain 0: reads its arguments and runs until it is told to stop.

using System.Runtime.InteropServices;
using Xenod.Xenstore;
using Xenolith.Toolstack.Hypercalls;

const string Usage = """
    usage: xenod [--xenstore-socket PATH] [--xenstore-journal PATH]
      --xenstore-socket   where xenstore listens (/run/xenstored/socket)
      --xenstore-journal  where xenstore keeps its state while it does not run (/run/xenolith/xenstore.journal)
    """;

XenstoreOptions options = new();
for (int i = 0; i < args.Length; i += 2)
{
    string? value = i + 1 < args.Length ? args[i + 1] : null;
    switch (args[i])
    {
        case "--help" or "-h":
            Console.WriteLine(Usage);
            return 0;
        case "--xenstore-socket" when value is not null:
            options = options with { Socket = value };
            break;
        case "--xenstore-journal" when value is not null:
            options = options with { Journal = value };
            break;
        default:
            Console.Error.WriteLine($"xenod: cannot make sense of '{args[i]}'\n{Usage}");
            return 2;
    }
}
try
{
    // Elsewhere than on a hypervisor it serves the socket alone.
    bool isDomain0 = File.Exists("/dev/xen/privcmd");
    await using XenstoreService xenstore = XenstoreService.Start(options, isDomain0, Console.Error.WriteLine);
    TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        stop.TrySetResult();
    }
    using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    Console.WriteLine($"xenod: xenstore listens at {options.Socket}");
    await (await Task.WhenAny(stop.Task, xenstore.Completion));
    return 0;
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or XenException)
{
    Console.Error.WriteLine($"xenod: {e.Message}");
    return 1;
}
