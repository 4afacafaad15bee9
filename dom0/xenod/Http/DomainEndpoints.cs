// Domains over HTTP.
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Xenod.Domains;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Http;

/// <summary>Lists, makes, changes and ends domains. A domain is named by its uuid, its name, or the hypervisor's number.</summary>
internal static class DomainEndpoints
{
    internal static void MapDomains(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder domains = routes.MapGroup("/v1/domains").WithTags("domains");
        domains.MapGet("/", ListAsync).WithName("listDomains").WithSummary("All domains");
        domains.MapGet("/{domain}", GetAsync).WithName("getDomain").WithSummary("One domain").ProducesProblem(404);
        domains.MapPut("/{uuid:guid}", CreateAsync).WithName("createDomain")
            .WithSummary("Makes and starts a domain; the caller chooses the uuid, and asking again with the same configuration changes nothing")
            .ProducesProblem(400).ProducesProblem(409).ProducesProblem(507);
        domains.MapPatch("/{domain}", ChangeAsync).WithName("changeDomain").WithSummary("Changes memory, vcpus, weight or cap").ProducesProblem(400).ProducesProblem(404);
        domains.MapDelete("/{domain}", DestroyAsync).WithName("destroyDomain").WithSummary("Ends a domain at once").ProducesProblem(404);
        domains.MapGet("/{domain}/vcpus", ListVcpusAsync).WithName("listVcpus").WithSummary("The virtual processors of a domain").ProducesProblem(404);
        domains.MapPost("/{domain}/pause", PauseAsync).WithName("pauseDomain").WithSummary("Keeps it from running").ProducesProblem(404);
        domains.MapPost("/{domain}/unpause", UnpauseAsync).WithName("unpauseDomain").WithSummary("Lets it run again").ProducesProblem(404).ProducesProblem(409);
        domains.MapPost("/{domain}/shutdown", ShutdownAsync).WithName("shutdownDomain").WithSummary("Asks the guest to power off").ProducesProblem(404).ProducesProblem(409);
        domains.MapPost("/{domain}/reboot", RebootAsync).WithName("rebootDomain").WithSummary("Asks the guest to start anew").ProducesProblem(404).ProducesProblem(409);
    }

    private static async Task<Ok<DomainList>> ListAsync(IDomainService service, CancellationToken cancellation)
        => TypedResults.Ok(new DomainList(await service.ListAsync(cancellation)));

    private static async Task<Ok<DomainView>> GetAsync(string domain, IDomainService service, CancellationToken cancellation)
        => TypedResults.Ok(await service.GetAsync(domain, cancellation));

    private static async Task<Results<Ok<CreatedDomain>, Created<CreatedDomain>>> CreateAsync(
        Guid uuid, JsonElement configuration, IDomainService service, CancellationToken cancellation, bool paused = false)
    {
        CreatedDomain created = await service.CreateAsync(uuid, configuration, paused, cancellation);
        return created.IsNew ? TypedResults.Created($"/v1/domains/{uuid}", created) : TypedResults.Ok(created);
    }

    private static async Task<NoContent> ChangeAsync(string domain, DomainChange change, IDomainService service, CancellationToken cancellation)
    {
        await service.ChangeAsync(domain, change, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> DestroyAsync(string domain, IDomainService service, CancellationToken cancellation)
    {
        await service.DestroyAsync(domain, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<Ok<VcpuList>> ListVcpusAsync(string domain, IDomainService service, CancellationToken cancellation)
        => TypedResults.Ok(new VcpuList(await service.ListVcpusAsync(domain, cancellation)));

    private static async Task<NoContent> PauseAsync(string domain, IDomainService service, CancellationToken cancellation)
    {
        await service.PauseAsync(domain, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> UnpauseAsync(string domain, IDomainService service, CancellationToken cancellation)
    {
        await service.UnpauseAsync(domain, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> ShutdownAsync(string domain, IDomainService service, CancellationToken cancellation)
    {
        await service.ShutdownAsync(domain, ShutdownRequest.Poweroff, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> RebootAsync(string domain, IDomainService service, CancellationToken cancellation)
    {
        await service.ShutdownAsync(domain, ShutdownRequest.Reboot, cancellation);
        return TypedResults.NoContent();
    }
}
