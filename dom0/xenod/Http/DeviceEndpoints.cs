// Disks, network interfaces and their rules over HTTP.
using Microsoft.AspNetCore.Http.HttpResults;
using Xenod.Domains;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Http;

/// <summary>Lists, attaches and detaches the devices of a domain, and sets what its interfaces let through.</summary>
internal static class DeviceEndpoints
{
    internal static void MapDevices(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder disks = routes.MapGroup("/v1/domains/{domain}/disks").WithTags("disks");
        disks.MapGet("/", ListDisksAsync).WithName("listDisks").WithSummary("The disks of a domain").ProducesProblem(404);
        disks.MapPost("/", AttachDiskAsync).WithName("attachDisk").WithSummary("Gives a running domain a disk, described as in an xl.cfg file").ProducesProblem(400).ProducesProblem(404).ProducesProblem(409);
        disks.MapDelete("/{name}", DetachDiskAsync).WithName("detachDisk").WithSummary("Takes a disk away; with force=true its kernel is not asked").ProducesProblem(404).ProducesProblem(500);

        RouteGroupBuilder interfaces = routes.MapGroup("/v1/domains/{domain}/interfaces").WithTags("interfaces");
        interfaces.MapGet("/", ListInterfacesAsync).WithName("listInterfaces").WithSummary("The network interfaces of a domain, their rules, and what these have counted").ProducesProblem(404);
        interfaces.MapPost("/", AttachInterfaceAsync).WithName("attachInterface")
            .WithSummary("Gives a running domain a network interface, described as in an xl.cfg file; an empty description is one of the private network").ProducesProblem(400).ProducesProblem(404).ProducesProblem(409);
        interfaces.MapDelete("/{index}", DetachInterfaceAsync).WithName("detachInterface").WithSummary("Takes an interface away; with force=true its kernel is not asked").ProducesProblem(404).ProducesProblem(500);
        interfaces.MapPut("/{index}/rules", SetRulesAsync).WithName("setRules").WithSummary("Gives an interface other rules, all at once").ProducesProblem(400).ProducesProblem(404);
    }

    private static async Task<Ok<DiskList>> ListDisksAsync(string domain, IDomainService service, CancellationToken cancellation)
        => TypedResults.Ok(new DiskList(await service.ListDisksAsync(domain, cancellation)));

    private static async Task<NoContent> AttachDiskAsync(string domain, DiskRequest request, IDomainService service, CancellationToken cancellation)
    {
        await service.AttachDiskAsync(domain, request.Disk, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> DetachDiskAsync(string domain, string name, IDomainService service, CancellationToken cancellation, bool force = false)
    {
        await service.DetachDiskAsync(domain, name, force, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<Ok<InterfaceList>> ListInterfacesAsync(string domain, IDomainService service, CancellationToken cancellation)
        => TypedResults.Ok(new InterfaceList(await service.ListInterfacesAsync(domain, cancellation)));

    private static async Task<NoContent> AttachInterfaceAsync(string domain, InterfaceRequest request, IDomainService service, CancellationToken cancellation)
    {
        await service.AttachInterfaceAsync(domain, request.Interface, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> DetachInterfaceAsync(string domain, uint index, IDomainService service, CancellationToken cancellation, bool force = false)
    {
        await service.DetachInterfaceAsync(domain, index, force, cancellation);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> SetRulesAsync(string domain, uint index, RuleList rules, IDomainService service, CancellationToken cancellation)
    {
        await service.SetRulesAsync(domain, index, rules.Rules, cancellation);
        return TypedResults.NoContent();
    }
}
