// The journal as a file.

using Microsoft.Win32.SafeHandles;

namespace Xenod.Xenstore.Journal;

/// <summary>
/// A file that belongs to one process at a time. Nothing is forced to a disk: it is to outlive the process, not the machine, and lies where
/// a boot starts with nothing.
/// </summary>
internal sealed class JournalFile : IJournalFile
{
    private readonly string _path;
    private readonly FileStream _lock;
    private SafeFileHandle _file;
    private long _length;

    /// <summary>Opens or creates the file.</summary>
    /// <exception cref="IOException">Another process has it, or it cannot be opened.</exception>
    public JournalFile(string path)
    {
        _path = path;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        _lock = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            _length = RandomAccess.GetLength(_file);
        }
        catch
        {
            _file?.Dispose();
            _lock.Dispose();
            throw;
        }
    }

    public byte[] Read()
    {
        byte[] bytes = new byte[_length];
        int read = 0;
        while (read < bytes.Length)
        {
            int count = RandomAccess.Read(_file, bytes.AsSpan(read), read);
            if (count == 0)
            {
                break;
            }
            read += count;
        }
        return bytes;
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_file, bytes, _length);
        _length += bytes.Length;
    }

    public void Replace(ReadOnlySpan<byte> bytes)
    {
        string next = _path + ".new";
        SafeFileHandle file = File.OpenHandle(next, FileMode.Create, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            File.SetUnixFileMode(next, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            RandomAccess.Write(file, bytes, 0);
            File.Move(next, _path, overwrite: true);
        }
        catch
        {
            file.Dispose();
            throw;
        }
        _file.Dispose();
        _file = file;
        _length = bytes.Length;
    }

    public void Dispose()
    {
        _file.Dispose();
        _lock.Dispose();
    }
}
