// xeno: controls the domains of this machine from Domain 0.
using System.CommandLine;
using Xeno.Commands;

RootCommand root = new("Controls the domains of this machine. It works on the hypervisor itself, so it needs root in Domain 0.")
{
    InfoCommand.Make(),
    ListCommand.Make(),
    CreateCommand.Make(),
    LifeCommands.Pause(),
    LifeCommands.Unpause(),
    LifeCommands.Destroy(),
    DmesgCommand.Make(),
};
return await root.Parse(args).InvokeAsync();
