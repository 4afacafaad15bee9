// What makes block devices of disks.
using Xenolith.Toolstack.Configuration;

namespace Xenod.Devices;

/// <summary>A disk as a block device of Domain 0, until it is disposed of.</summary>
internal interface IServedDisk : IAsyncDisposable
{
    /// <summary>Its name in /dev.</summary>
    string Path { get; }

    /// <summary>Major and minor number in hexadecimal, as the back end reads them.</summary>
    string Number { get; }
}

/// <summary>The machine's means to make block devices of disks; tests have others.</summary>
internal interface IDiskServers
{
    /// <summary>The same for all names of the same disk.</summary>
    /// <exception cref="IOException">It is not there.</exception>
    string IdentityOf(string target);

    /// <summary>Serves a disk.</summary>
    /// <exception cref="IOException">It cannot be served; the message says why.</exception>
    Task<IServedDisk> ServeAsync(DiskSpecification disk, CancellationToken cancellation);

    /// <summary>Lets go of a disk that a daemon before this one has served.</summary>
    /// <param name="path">Its block device.</param>
    Task ReleaseAsync(string path);

    /// <summary>Lets go of disks that a daemon before this one had served when it was killed, and had told nobody of.</summary>
    /// <param name="used">The block devices that domains have.</param>
    Task ReleaseAllButAsync(IReadOnlySet<string> used);
}
