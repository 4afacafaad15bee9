// How refusals look over HTTP.
using Microsoft.AspNetCore.Mvc;
using Xenod.Domains;
using Xenolith.Toolstack.Configuration;

namespace Xenod.Http;

/// <summary>Turns refusals and failures into <c>application/problem+json</c> (RFC 9457).</summary>
internal static class Problems
{
    /// <summary>Puts itself around all that follows in the pipeline.</summary>
    internal static void UseProblems(this WebApplication app)
    {
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (Exception exception) when (!context.Response.HasStarted && exception is not OperationCanceledException)
            {
                await WriteAsync(context, StatusOf(exception), exception.Message);
            }
        });
    }

    /// <summary>Answers with a problem.</summary>
    internal static Task WriteAsync(HttpContext context, int status, string detail)
    {
        context.Response.Clear();
        context.Response.StatusCode = status;
        ProblemDetails problem = new() { Status = status, Title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status), Detail = detail };
        return context.Response.WriteAsJsonAsync(problem, ApiJson.Default.ProblemDetails, "application/problem+json", context.RequestAborted);
    }

    private static int StatusOf(Exception exception) => exception switch
    {
        ConfigurationException => StatusCodes.Status400BadRequest,
        BadHttpRequestException bad => bad.StatusCode,
        DomainServiceException refused => refused.Refusal switch
        {
            Refusal.Invalid => StatusCodes.Status400BadRequest,
            Refusal.NotFound => StatusCodes.Status404NotFound,
            Refusal.Conflict => StatusCodes.Status409Conflict,
            Refusal.NoRoom => StatusCodes.Status507InsufficientStorage,
            _ => StatusCodes.Status500InternalServerError,
        },
        _ => StatusCodes.Status500InternalServerError,
    };
}
