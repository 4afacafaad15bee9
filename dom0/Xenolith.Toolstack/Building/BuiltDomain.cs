// A domain that is complete and has not run yet.
namespace Xenolith.Toolstack.Building;

/// <summary>What the xenstore and the console have to know of it. It is paused once; unpausing starts it.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Uuid">Its UUID.</param>
/// <param name="XenstoreFrame">Machine frame of its xenstore ring, which grant 1 also names; 0: it has none.</param>
/// <param name="XenstorePort">Its port for xenstore events; 0: it has none.</param>
/// <param name="ConsoleFrame">Machine frame of its console ring, which grant 0 also names.</param>
/// <param name="ConsolePort">Its port for console events.</param>
public sealed record BuiltDomain(ushort Id, Guid Uuid, ulong XenstoreFrame, uint XenstorePort, ulong ConsoleFrame, uint ConsolePort);
