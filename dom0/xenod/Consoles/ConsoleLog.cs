// What a domain has said on its console, kept in files.
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Xenod.Consoles;

/// <summary>All that a domain has said, from its first byte as far as the room goes; it outlives the domain and the daemon.</summary>
/// <remarks>
/// The bytes lie in segments, files named after the position of their first byte. When they exceed the limit, the oldest segment goes. A byte that
/// <see cref="Append"/> has returned for is in the kernel's hands and is not lost when the daemon is killed.
/// </remarks>
internal sealed class ConsoleLog : IDisposable
{
    internal const long DefaultLimit = 1024 * 1024;

    private const int SegmentsInLimit = 4;
    private const string Suffix = ".log";

    private readonly string _directory;
    private readonly long _segmentSize;
    private readonly Lock _lock = new();
    private readonly List<Segment> _segments = [];

    // The last segment's, as long as there is more to come.
    private SafeFileHandle? _last;
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ConsoleLog(string directory, long limit)
    {
        _directory = directory;
        _segmentSize = Math.Max(1, limit / SegmentsInLimit);
    }

    private sealed class Segment(long start, long length)
    {
        internal long Start { get; } = start;

        internal long Length { get; set; } = length;
    }

    /// <summary>The position of the oldest byte that is still kept.</summary>
    internal long Start
    {
        get
        {
            lock (_lock)
            {
                return _segments[0].Start;
            }
        }
    }

    /// <summary>How many bytes there have ever been.</summary>
    internal long End
    {
        get
        {
            lock (_lock)
            {
                return EndOf(_segments[^1]);
            }
        }
    }

    /// <summary>Opens the log in a directory, which is made when it is not there, and goes on behind what is in it.</summary>
    /// <param name="directory">Holds this log alone.</param>
    /// <param name="limit">Bytes to keep at least three quarters of and never more than.</param>
    internal static ConsoleLog Open(string directory, long limit = DefaultLimit)
    {
        Directory.CreateDirectory(directory);
        ConsoleLog log = new(directory, limit);
        foreach (string path in Directory.EnumerateFiles(directory, "*" + Suffix).Order(StringComparer.Ordinal))
        {
            if (long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out long start))
            {
                log._segments.Add(new Segment(start, new FileInfo(path).Length));
            }
        }

        if (log._segments.Count == 0)
        {
            log.Begin(0);
        }

        return log;
    }

    /// <summary>Adds bytes.</summary>
    internal void Append(ReadOnlySpan<byte> bytes)
    {
        TaskCompletionSource waiters;
        lock (_lock)
        {
            while (bytes.Length > 0)
            {
                Segment last = _segments[^1];
                int count = (int)Math.Min(bytes.Length, _segmentSize - last.Length);
                if (count <= 0)
                {
                    Begin(EndOf(last));
                    continue;
                }

                _last ??= File.OpenHandle(PathOf(last.Start), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                RandomAccess.Write(_last, bytes[..count], last.Length);
                last.Length += count;
                bytes = bytes[count..];
            }

            waiters = _more;
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiters.SetResult();
    }

    /// <summary>Reads bytes that are kept.</summary>
    /// <param name="position">Where from; moved to the oldest byte when it lies before that, and behind what was read.</param>
    /// <param name="into">Filled from its start.</param>
    /// <returns>How many bytes; 0 at the end.</returns>
    internal int Read(ref long position, Span<byte> into)
    {
        lock (_lock)
        {
            position = Math.Max(position, _segments[0].Start);
            int done = 0;
            foreach (Segment segment in _segments)
            {
                long skip = position - segment.Start;
                if (skip < segment.Length && done < into.Length)
                {
                    int count = (int)Math.Min(segment.Length - skip, into.Length - done);
                    using SafeFileHandle file = File.OpenHandle(PathOf(segment.Start), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                    count = RandomAccess.Read(file, into.Slice(done, count), skip);
                    done += count;
                    position += count;
                }
            }

            return done;
        }
    }

    /// <summary>Ends when there are bytes behind a position.</summary>
    internal Task WaitAsync(long position, CancellationToken cancellation)
    {
        lock (_lock)
        {
            return EndOf(_segments[^1]) > position ? Task.CompletedTask : _more.Task.WaitAsync(cancellation);
        }
    }

    /// <summary>Has no file open until there is more to keep: there may be hundreds of domains that say nothing any more.</summary>
    internal void Rest()
    {
        lock (_lock)
        {
            _last?.Dispose();
            _last = null;
        }
    }

    /// <summary>Closes its file; what it holds stays.</summary>
    public void Dispose() => Rest();

    private static long EndOf(Segment segment) => segment.Start + segment.Length;

    private void Begin(long start)
    {
        if (_segments.Count >= SegmentsInLimit)
        {
            File.Delete(PathOf(_segments[0].Start));
            _segments.RemoveAt(0);
        }

        _last?.Dispose();
        _last = File.OpenHandle(PathOf(start), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite);
        _segments.Add(new Segment(start, 0));
    }

    private string PathOf(long start) => Path.Combine(_directory, start.ToString("D20", CultureInfo.InvariantCulture) + Suffix);
}
