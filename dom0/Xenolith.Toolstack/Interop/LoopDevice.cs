// A file as a block device: Linux's loop devices.
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Xenolith.Toolstack.Interop;

/// <summary>
/// A loop device that is freed when the last who has opened it has closed it, this object included: nothing is left of it when this process
/// ends before a driver has taken it.
/// </summary>
internal sealed unsafe class LoopDevice : IDisposable
{
    private const nuint GetFree = 0x4C82;
    private const nuint Configure = 0x4C0A;
    private const uint FlagReadOnly = 1;
    private const uint FlagAutoClear = 4;
    private const uint FlagDirect = 16;
    private const int Busy = 16;
    private const int NameBytes = 64;
    private const int Attempts = 32;

    private readonly SafeFileHandle _device;

    private LoopDevice(string path, SafeFileHandle device)
    {
        Path = path;
        _device = device;
    }

    /// <summary>Its name in /dev.</summary>
    internal string Path { get; }

    /// <summary>Makes a block device of a file.</summary>
    /// <exception cref="IOException">There is none, or the file will not do; the message says why.</exception>
    internal static LoopDevice Attach(string file, bool isReadOnly)
    {
        using SafeFileHandle backing = LibC.Open(file, isReadOnly ? LibC.ReadOnly : LibC.ReadWrite);
        if (backing.IsInvalid)
        {
            throw new IOException($"{file} cannot be opened (error {(int)LibC.LastError()})");
        }

        using SafeFileHandle control = LibC.Open("/dev/loop-control", LibC.ReadWrite);
        if (control.IsInvalid)
        {
            throw new IOException("Domain 0's kernel has no loop devices: load its module loop");
        }

        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            int number = LibC.Control(control, GetFree, null);
            if (number < 0)
            {
                break;
            }

            string path = string.Create(CultureInfo.InvariantCulture, $"/dev/loop{number}");
            SafeFileHandle device = LibC.Open(path, LibC.ReadWrite);
            int error = device.IsInvalid ? (int)LibC.LastError() : Set(device, backing, file, isReadOnly);
            if (error == 0)
            {
                return new LoopDevice(path, device);
            }

            device.Dispose();
            if (error != Busy)
            {
                throw new IOException($"{path} cannot be made of {file} (error {error})");
            }
        }

        throw new IOException("there is no free loop device in Domain 0");
    }

    public void Dispose() => _device.Dispose();

    /// <summary>The file's own cache is left out where its file system can do so. Returns 0 or an error number.</summary>
    private static int Set(SafeFileHandle device, SafeFileHandle backing, string file, bool isReadOnly)
    {
        LoopConfiguration configuration = new() { File = (uint)backing.DangerousGetHandle(), Flags = (isReadOnly ? FlagReadOnly : 0) | FlagAutoClear | FlagDirect };
        byte[] name = Encoding.UTF8.GetBytes(file);
        name.AsSpan(0, Math.Min(name.Length, NameBytes - 1)).CopyTo(new Span<byte>(configuration.Name, NameBytes));
        return LibC.Control(device, Configure, &configuration) == 0 ? 0 : (int)LibC.LastError();
    }

    /// <summary>struct loop_config with its struct loop_info64 (linux/loop.h).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 304)]
    private struct LoopConfiguration
    {
        [FieldOffset(0)] internal uint File;
        [FieldOffset(4)] internal uint BlockSize;
        [FieldOffset(60)] internal uint Flags;
        [FieldOffset(64)] internal fixed byte Name[NameBytes];
    }
}
