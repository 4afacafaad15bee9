// xeno: controls the domains of this machine from Domain 0.
using System.CommandLine;
using Xeno.Commands;

RootCommand root = new("Controls the domains of this machine, by the daemon xenod; without it what the hypervisor alone can do. It needs root in Domain 0.")
{
    CreateCommand.Make(),
    RunCommand.Make(),
    ListCommand.Make(),
    InfoCommand.Make(),
    TopCommand.Make(),
    ConsoleCommand.Make(),
    LifeCommands.Pause(),
    LifeCommands.Unpause(),
    LifeCommands.Shutdown(),
    LifeCommands.Reboot(),
    LifeCommands.Destroy(),
    ChangeCommands.Memory(),
    ChangeCommands.Vcpus(),
    ChangeCommands.Share(),
    VcpuListCommand.Make(),
    DeviceCommands.AttachDisk(),
    DeviceCommands.DetachDisk(),
    DeviceCommands.ListDisks(),
    DeviceCommands.AttachInterface(),
    DeviceCommands.DetachInterface(),
    DeviceCommands.ListInterfaces(),
    DeviceCommands.Rules(),
    DoctorCommand.Make(),
    DmesgCommand.Make(),
    EventsCommand.Make(),
    CompletionCommand.Make(),
};
return await root.Parse(args).InvokeAsync();
