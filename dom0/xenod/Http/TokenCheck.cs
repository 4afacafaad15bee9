// Who may use the HTTP interface over a network.
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Xenod.Http;

/// <summary>Lets requests of the Unix socket through, and those of a network that show the token.</summary>
internal static class TokenCheck
{
    private const string Scheme = "Bearer ";

    internal static void UseTokenCheck(this WebApplication app, string? token)
    {
        byte[]? expected = token is null ? null : Encoding.UTF8.GetBytes(token);
        app.Use((context, next) =>
        {
            // A connection of a Unix socket has no port.
            bool isLocal = context.Connection.LocalPort == 0;
            if (isLocal || (expected is not null && HasToken(context, expected)))
            {
                return next(context);
            }

            context.Response.Headers.WWWAuthenticate = Scheme.Trim();
            return Problems.WriteAsync(context, (int)HttpStatusCode.Unauthorized, "this address wants the daemon's token: send it as 'Authorization: Bearer TOKEN'");
        });
    }

    private static bool HasToken(HttpContext context, byte[] expected)
    {
        string shown = context.Request.Headers.Authorization.ToString();
        return shown.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(shown[Scheme.Length..].Trim()), expected);
    }
}
