// Domains come, go, and serve each other.

using System.Diagnostics.CodeAnalysis;
using System.Text;
using Xenod.Xenstore.Tree;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

internal sealed partial class StoreMachine
{
    /// <summary>Ids from here on are names for special owners of memory, not domains.</summary>
    private const ulong FirstReservedDomain = 0x7ff0;

    /// <summary>Domain 0's own ring is there. Nobody is told: it is where everybody who watches lives.</summary>
    public Connection ConnectDomain0(ulong frame, uint port, RingPositions positions) => AddDomain(0, frame, port, positions);

    /// <summary>A domain has shut down; it is still there.</summary>
    public void DomainShutDown(uint domain)
    {
        if (Linked(domain) is { Link: { ShutDown: false } link })
        {
            link.ShutDown = true;
            FireSpecial(XenstorePath.ReleaseDomain);
        }
    }

    /// <summary>A domain is dying or gone.</summary>
    public void DomainGone(uint domain)
    {
        if (domain != 0 && Linked(domain) is { } connection)
        {
            End(connection);
        }
    }

    private XenstoreError? GetDomainPath(Request request)
    {
        Span<ulong> numbers = stackalloc ulong[1];
        if (!request.TryNumbers(numbers) || numbers[0] > uint.MaxValue)
        {
            return XenstoreError.EINVAL;
        }
        request.Reply(Encoding.ASCII.GetBytes(XenstorePath.OfDomain((uint)numbers[0]) + "\0"));
        return null;
    }

    private XenstoreError? Introduce(Request request)
    {
        Span<ulong> numbers = stackalloc ulong[3];
        if (!request.TryNumbers(numbers) || numbers[0] is 0 or >= FirstReservedDomain || numbers[2] is 0 or > int.MaxValue)
        {
            return XenstoreError.EINVAL;
        }
        uint domain = (uint)numbers[0];
        uint port = (uint)numbers[2];
        Connection? connection = Linked(domain);
        if (Rings.Connect(domain, numbers[1], port, connection is not null) is not { } positions)
        {
            return XenstoreError.EIO;
        }
        if (connection is null)
        {
            AddDomain(domain, numbers[1], port, positions);
            FireSpecial(XenstorePath.IntroduceDomain);
        }
        else
        {
            ReleaseAll(connection);
            connection.ClearMessages();
            connection.Broken = false;
            connection.Link!.Frame = numbers[1];
            connection.Link.Port = port;
            connection.Link.Positions = positions;
        }
        request.Acknowledge();
        return null;
    }

    private XenstoreError? Release(Request request)
    {
        if (!TryDomain(request, out Connection? connection, out XenstoreError error))
        {
            return error;
        }
        if (connection.Domain == 0)
        {
            return XenstoreError.EINVAL;
        }
        End(connection);
        request.Acknowledge();
        return null;
    }

    private XenstoreError? IsIntroduced(Request request)
    {
        Span<ulong> numbers = stackalloc ulong[1];
        if (!request.TryNumbers(numbers))
        {
            return XenstoreError.EINVAL;
        }
        request.Reply(numbers[0] == 0 || (numbers[0] < FirstReservedDomain && Linked((uint)numbers[0]) is not null) ? "T\0"u8 : "F\0"u8);
        return null;
    }

    private XenstoreError? Resume(Request request)
    {
        if (!TryDomain(request, out Connection? connection, out XenstoreError error))
        {
            return error;
        }
        connection.Link!.ShutDown = false;
        request.Acknowledge();
        return null;
    }

    private XenstoreError? SetTarget(Request request)
    {
        Span<ulong> numbers = stackalloc ulong[2];
        if (!request.TryNumbers(numbers) || numbers[0] >= FirstReservedDomain || numbers[1] >= FirstReservedDomain)
        {
            return XenstoreError.EINVAL;
        }
        if (Linked((uint)numbers[0]) is not { } connection || Linked((uint)numbers[1]) is null)
        {
            return XenstoreError.ENOENT;
        }
        connection.Target = (uint)numbers[1];
        request.Acknowledge();
        return null;
    }

    private bool TryDomain(Request request, [NotNullWhen(true)] out Connection? connection, out XenstoreError error)
    {
        Span<ulong> numbers = stackalloc ulong[1];
        bool valid = request.TryNumbers(numbers) && numbers[0] < FirstReservedDomain;
        error = valid ? XenstoreError.ENOENT : XenstoreError.EINVAL;
        connection = valid ? Linked((uint)numbers[0]) : null;
        return connection is not null;
    }

    private Connection? Linked(uint domain) => _connections.TryGetValue(domain, out Connection? connection) ? connection : null;

    private Connection AddDomain(uint domain, ulong frame, uint port, RingPositions positions)
    {
        Connection connection = new(domain, domain == 0 ? StoreLimits.Unlimited : Limits, _unsent)
        {
            Link = new DomainLink { Frame = frame, Port = port, Positions = positions },
        };
        _connections.Add(domain, connection);
        return connection;
    }

    // With the domain go its connection, its nodes, and what others allow to its number.
    private void End(Connection connection)
    {
        ReleaseAll(connection);
        _connections.Remove(connection.Id);
        Rings.Disconnect(connection.Domain);
        foreach (Connection other in _connections.Values)
        {
            if (other.Target == connection.Domain)
            {
                other.Target = null;
            }
        }
        TreeEdit edit = new(Tree);
        edit.Forget(connection.Domain);
        Tree = edit.Result();
        Fire(edit.Changes);
        FireSpecial(XenstorePath.ReleaseDomain);
    }
}
