// The machine over HTTP.
using Microsoft.AspNetCore.Http.HttpResults;
using Xenod.Domains;
using Xenod.Machine;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Http;

/// <summary>Tells what the machine has, what the hypervisor has said, and figures for Prometheus.</summary>
internal static class MachineEndpoints
{
    private const string ExpositionFormat = "text/plain; version=0.0.4; charset=utf-8";

    internal static void MapMachine(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/machine", Get).WithName("getMachine").WithTags("machine").WithSummary("Hypervisor, processors, memory and kernels of this machine");
        routes.MapGet("/v1/machine/log", ReadLog).WithName("readMachineLog").WithTags("machine").WithSummary("What the hypervisor has said").Produces<string>(200, "text/plain");
        routes.MapGet("/metrics", ReadMetricsAsync).WithName("readMetrics").WithTags("machine").WithSummary("Figures of the machine and its domains, in Prometheus' text format").Produces<string>(200, "text/plain");
    }

    private static Ok<MachineView> Get(IMachineService machine) => TypedResults.Ok(machine.Get());

    private static ContentHttpResult ReadLog(IMachineService machine) => TypedResults.Text(machine.ReadLog());

    private static async Task ReadMetricsAsync(IMachineService machine, IDomainService domains, HttpContext context, CancellationToken cancellation)
    {
        // All is read before the first byte goes out: a failure is an answer of its own.
        using MemoryStream page = new();
        await MetricsPage.WriteAsync(machine, domains, page, cancellation);
        context.Response.ContentType = ExpositionFormat;
        await context.Response.Body.WriteAsync(page.GetBuffer().AsMemory(0, (int)page.Length), cancellation);
    }
}
