// A server on a thread, at a socket in a directory of its own.

using Xenod.Xenstore;

namespace ToolstackTests.Xenstore;

internal sealed class RunningServer : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("xenstore").FullName;
    private readonly XenstoreServer _server;
    private readonly Thread _thread;
    private bool _ended;

    public RunningServer(IXenstoreHost? host = null)
    {
        _server = new XenstoreServer(new XenstoreOptions { Socket = Socket, Journal = Path.Combine(_directory, "journal") }, host, _ => { });
        _thread = new Thread(_server.Run) { Name = "xenstore" };
        _thread.Start();
    }

    public string Socket => Path.Combine(_directory, "socket");

    public void Dispose()
    {
        if (_ended)
        {
            return;
        }
        _ended = true;
        _server.Stop();
        _thread.Join();
        _server.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
