// xeno events.
using System.CommandLine;
using System.Globalization;
using Xenolith.Toolstack.Daemon;

namespace Xeno.Commands;

/// <summary>What happens to domains, as it happens.</summary>
internal static class EventsCommand
{
    internal static Command Make()
    {
        Option<bool> json = Direct.MakeJsonOption();
        Option<string?> after = new("--after") { Description = "begin behind the event of that id" };
        Command command = new("events", "Prints what happens to domains, until interrupted.") { json, after };
        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            await foreach ((string id, DomainEvent one) in daemon.ReadEventsAsync(parsed.GetValue(after), cancellation))
            {
                if (parsed.GetValue(json))
                {
                    Output.WriteJson(one);
                }
                else
                {
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{one.Time.LocalDateTime:yyyy-MM-dd HH:mm:ss}  {id}  {one.Kind}  {one.Name}{(one.Detail is null ? "" : $": {one.Detail}")}"));
                }
            }
        });
        return command;
    }
}
