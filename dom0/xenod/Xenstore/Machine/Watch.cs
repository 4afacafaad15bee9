// A registered watch.

namespace Xenod.Xenstore.Machine;

/// <summary>A watch of one connection.</summary>
/// <param name="connection">Who is told.</param>
/// <param name="path">The watched path from the root, or a special name.</param>
/// <param name="token">What the client wants to hear, one character per byte.</param>
/// <param name="prefix">Characters that are left out of the paths it is told, because it was registered from its own directory.</param>
internal sealed class Watch(Connection connection, string path, string token, int prefix)
{
    public Connection Connection { get; } = connection;

    public string Path { get; } = path;

    public string Token { get; } = token;

    public int Prefix { get; } = prefix;

    public int Cost => 64 + 2 * (Path.Length + Token.Length);

    /// <summary>A path as this watch's client knows it.</summary>
    public string Shown(string changed) => Prefix == 0 ? changed : changed.Length <= Prefix ? "" : changed[(Prefix + 1)..];
}
