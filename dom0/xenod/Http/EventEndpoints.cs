// Events over HTTP.
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Xenod.Events;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Http;

/// <summary>Tells what happens as server-sent events; a reader that comes again with <c>Last-Event-ID</c> misses none that are kept.</summary>
internal static class EventEndpoints
{
    internal static void MapEvents(this IEndpointRouteBuilder routes)
        => routes.MapGet("/v1/events", Read).WithName("readEvents").WithTags("events").WithSummary("What happens, as server-sent events");

    private static ServerSentEventsResult<DomainEvent> Read(
        [FromHeader(Name = "Last-Event-ID")] string? last, EventLog events, IHostApplicationLifetime lifetime, CancellationToken cancellation)
        => TypedResults.ServerSentEvents(Items(events, last, lifetime, cancellation));

    private static async IAsyncEnumerable<SseItem<DomainEvent>> Items(
        EventLog events, string? last, IHostApplicationLifetime lifetime, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, lifetime.ApplicationStopping);
        await foreach ((string id, DomainEvent one) in events.ReadAsync(last, either.Token))
        {
            yield return new SseItem<DomainEvent>(one, one.Kind) { EventId = id };
        }
    }
}
