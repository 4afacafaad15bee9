// What xenstore is, said as simply as possible, to compare the server with.

using Xenolith.Toolstack.Xenstore;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

/// <summary>A table of nodes and rules by the word. No sharing, no versions, no speed.</summary>
internal sealed class ReferenceStore
{
    private sealed record Node(string Value, string[] Permissions);

    private readonly SortedDictionary<string, Node> _nodes;

    public ReferenceStore() => _nodes = new(StringComparer.Ordinal) { ["/"] = new("", ["n0"]) };

    private ReferenceStore(ReferenceStore other) => _nodes = new(other._nodes, StringComparer.Ordinal);

    public ReferenceStore Copy() => new(this);

    /// <summary>All nodes with everything.</summary>
    public IEnumerable<string> Dump() => _nodes.Select(node => $"{node.Key}={node.Value.Value} {string.Join(',', node.Value.Permissions)}");

    /// <summary>The answer to a request on a node, which is carried out.</summary>
    public string Ask(uint domain, XenstoreOperation operation, string payload)
    {
        string[] words = payload.Split('|');
        string path = words[0];
        char needed = operation is Write or MakeDirectory or Remove or SetPermissions ? 'w' : 'r';
        string lowest = path;
        while (!_nodes.ContainsKey(lowest))
        {
            lowest = Parent(lowest);
        }
        if (!May(domain, _nodes[lowest].Permissions, needed))
        {
            return "EACCES";
        }
        bool there = lowest == path;
        switch (operation)
        {
            case Read:
                return there ? _nodes[path].Value : "ENOENT";
            case XenstoreOperation.Directory:
                return there ? string.Join('|', Children(path)) : "ENOENT";
            case GetPermissions:
                return there ? string.Join('|', _nodes[path].Permissions) : "ENOENT";
            case Write:
                Create(domain, path, lowest);
                _nodes[path] = _nodes[path] with { Value = words[1] };
                return "OK";
            case MakeDirectory:
                Create(domain, path, lowest);
                return "OK";
            case Remove:
                foreach (string gone in _nodes.Keys.Where(other => other == path || other.StartsWith(path + "/", StringComparison.Ordinal)).ToArray())
                {
                    _nodes.Remove(gone);
                }
                return there || _nodes.ContainsKey(Parent(path)) ? "OK" : "ENOENT";
            case SetPermissions:
                string[] permissions = words[1..^1];
                if (!there)
                {
                    return "ENOENT";
                }
                if (domain != 0 && (Owner(path) != domain || permissions[0][1..] != $"{domain}"))
                {
                    return "EACCES";
                }
                _nodes[path] = _nodes[path] with { Permissions = permissions };
                return "OK";
            default:
                throw new NotSupportedException();
        }
    }

    public static string Parent(string path) => path.LastIndexOf('/') is > 0 and int slash ? path[..slash] : "/";

    private uint Owner(string path) => uint.Parse(_nodes[path].Permissions[0][1..]);

    private IEnumerable<string> Children(string path) =>
        _nodes.Keys.Where(other => other != "/" && Parent(other) == path).Select(other => other[(other.LastIndexOf('/') + 1)..]);

    private void Create(uint domain, string path, string lowest)
    {
        if (lowest == path)
        {
            return;
        }
        Create(domain, Parent(path), lowest);
        string[] permissions = [.. _nodes[Parent(path)].Permissions];
        if (domain != 0)
        {
            permissions[0] = $"{permissions[0][0]}{domain}";
        }
        _nodes[path] = new("", permissions);
    }

    private static bool May(uint domain, string[] permissions, char needed)
    {
        string named = permissions.Skip(1).FirstOrDefault(entry => entry[1..] == $"{domain}") ?? permissions[0];
        return domain == 0 || permissions[0][1..] == $"{domain}" || named[0] == 'b' || named[0] == needed;
    }
}
