// A node's permissions and what they mean.

using System.Text;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Tree;

/// <summary>An immutable list of permissions; the first entry is the owner's.</summary>
internal sealed class NodePermissions
{
    private readonly XenstorePermission[] _entries;

    public NodePermissions(params ReadOnlySpan<XenstorePermission> entries)
    {
        ArgumentOutOfRangeException.ThrowIfZero(entries.Length);
        _entries = entries.ToArray();
    }

    public static NodePermissions Domain0 { get; } = new(XenstorePermission.Owner(0));

    public uint Owner => _entries[0].Domain;

    public ReadOnlySpan<XenstorePermission> Entries => _entries;

    /// <summary>What the caller may do.</summary>
    public XenstoreAccess Of(Caller caller)
    {
        if (IsOwner(caller))
        {
            return XenstoreAccess.Both;
        }
        for (int i = 1; i < _entries.Length; i++)
        {
            if (caller.Is(_entries[i].Domain))
            {
                return _entries[i].Access;
            }
        }
        return _entries[0].Access;
    }

    public bool Allow(Caller caller, XenstoreAccess access) => (Of(caller) & access) == access;

    public bool IsOwner(Caller caller) => caller.Privileged || caller.Is(Owner);

    /// <summary>The permissions of a new node below: the same, but owned by whom created it unless that is Domain 0.</summary>
    public NodePermissions Inherited(uint creator)
    {
        if (creator == 0 || creator == Owner)
        {
            return this;
        }
        NodePermissions inherited = new(_entries);
        inherited._entries[0] = new(_entries[0].Access, creator);
        return inherited;
    }

    /// <summary>Without the further entries that name the domain.</summary>
    public NodePermissions Without(uint domain)
    {
        for (int i = 1; i < _entries.Length; i++)
        {
            if (_entries[i].Domain == domain)
            {
                return new([_entries[0], .. _entries[1..].Where(entry => entry.Domain != domain)]);
            }
        }
        return this;
    }

    public override string ToString()
    {
        StringBuilder text = new();
        foreach (XenstorePermission entry in _entries)
        {
            text.Append(text.Length == 0 ? "" : ",").Append(entry);
        }
        return text.ToString();
    }
}
