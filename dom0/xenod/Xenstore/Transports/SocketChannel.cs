// A client of the Unix socket.

using System.Net.Sockets;

namespace Xenod.Xenstore.Transports;

/// <summary>A socket that never blocks, with what has come and what is to go in buffers of fixed size.</summary>
internal sealed class SocketChannel(Socket socket) : IChannel
{
    private const int BufferSize = 16 * 1024;

    private readonly byte[] _input = new byte[BufferSize];
    private readonly byte[] _output = new byte[BufferSize];
    private int _inputStart;
    private int _inputEnd;
    private int _outputStart;
    private int _outputEnd;
    private bool _gone;

    public int Descriptor { get; } = (int)socket.Handle;

    /// <summary>Whether the client should be waited for with more input.</summary>
    public bool WantsInput => !_gone && _inputEnd == _inputStart;

    /// <summary>Whether the client has to read before more can go.</summary>
    public bool WantsOutput => !_gone && _outputEnd > _outputStart;

    /// <summary>Reads what has come.</summary>
    public void Fill()
    {
        if (_inputStart == _inputEnd)
        {
            _inputStart = _inputEnd = 0;
        }
        if (_inputEnd == BufferSize || _gone)
        {
            return;
        }
        int count = socket.Receive(_input.AsSpan(_inputEnd), SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
        {
            return;
        }
        _gone = error != SocketError.Success || count == 0;
        _inputEnd += error == SocketError.Success ? count : 0;
    }

    public int Peek(Span<byte> destination)
    {
        int count = Math.Min(destination.Length, _inputEnd - _inputStart);
        if (count == 0 && _gone)
        {
            return -1;
        }
        _input.AsSpan(_inputStart, count).CopyTo(destination);
        return count;
    }

    public void Take(int count) => _inputStart += count;

    public int Put(ReadOnlySpan<byte> source)
    {
        if (_gone)
        {
            return -1;
        }
        int count = Math.Min(source.Length, BufferSize - _outputEnd);
        source[..count].CopyTo(_output.AsSpan(_outputEnd));
        _outputEnd += count;
        return count;
    }

    public bool Publish()
    {
        while (WantsOutput)
        {
            int count = socket.Send(_output.AsSpan(_outputStart, _outputEnd - _outputStart), SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
            {
                break;
            }
            if (error != SocketError.Success)
            {
                _gone = true;
                break;
            }
            _outputStart += count;
        }
        if (_outputStart == _outputEnd)
        {
            _outputStart = _outputEnd = 0;
        }
        return _gone;
    }

    public void Dispose() => socket.Dispose();
}
