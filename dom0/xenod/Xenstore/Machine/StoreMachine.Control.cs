// Commands for the server itself, as xenstore-control sends them.

using System.Globalization;
using System.Text;
using Xenod.Xenstore.Tree;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

internal sealed partial class StoreMachine
{
    private const string Commands = "check\nhelp\nlog [on|off]\nmemreport\nprint TEXT\nquota [DOMAIN]\n";

    private bool _logsRequests;

    private XenstoreError? Control(Request request)
    {
        List<string> words = [];
        ReadOnlySpan<byte> rest = request.Payload;
        while (!rest.IsEmpty)
        {
            int end = rest.IndexOf((byte)0);
            if (end < 0)
            {
                return XenstoreError.EINVAL;
            }
            words.Add(Encoding.Latin1.GetString(rest[..end]));
            rest = rest[(end + 1)..];
        }
        string? answer = words switch
        {
            ["help"] => Commands,
            ["check"] => Check(),
            ["memreport"] => Report(),
            ["print", string text] => Print(text),
            ["quota"] => Quotas(),
            ["quota", string domain] when uint.TryParse(domain, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) => QuotaOf(id),
            ["log"] => _logsRequests ? "on" : "off",
            ["log", "on"] => SwitchLog(true),
            ["log", "off"] => SwitchLog(false),
            _ => null,
        };
        if (answer is null)
        {
            return XenstoreError.EINVAL;
        }
        byte[] reply = Encoding.Latin1.GetBytes(answer + "\0");
        if (reply.Length > XenstoreHeader.MaximumPayload)
        {
            return XenstoreError.E2BIG;
        }
        request.Reply(reply);
        return null;
    }

    // Counts anew what is kept counted.
    private string Check()
    {
        bool same = TreeEdit.Count(Tree.Root).OrderBy(owned => owned.Key).SequenceEqual(Tree.Owned.OrderBy(owned => owned.Key));
        return same ? "OK" : "the counts of owned nodes are wrong";
    }

    private string Report()
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"managed heap {GC.GetTotalMemory(false)} bytes\n");
        text.Append(CultureInfo.InvariantCulture, $"nodes {Tree.Owned.Values.Sum(owned => owned.Nodes)}, watches {_watches.Count}, connections {_connections.Count}\n");
        return text.ToString();
    }

    private string Print(string text)
    {
        Log?.Invoke(text);
        return "OK";
    }

    private string SwitchLog(bool on)
    {
        _logsRequests = on;
        return "OK";
    }

    private string Quotas() => string.Create(
        CultureInfo.InvariantCulture,
        $"nodes {Limits.Nodes}\nwatches {Limits.Watches}\nvalue-bytes {Limits.ValueBytes}\ntransactions {Limits.Transactions}\npermissions {Limits.Permissions}\ntransaction-nodes {Limits.TouchedNodes}\nbytes {Limits.Bytes}\n");

    private string QuotaOf(uint domain)
    {
        OwnedNodes owned = Tree.OwnedBy(domain);
        Connection? connection = Linked(domain);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"nodes {owned.Nodes}\nbytes {owned.Bytes + (connection?.HeldBytes ?? 0)}\nwatches {connection?.Watches.Count ?? 0}\ntransactions {connection?.Transactions.Count ?? 0}\n");
    }

    private void LogRequest(Connection connection, XenstoreHeader header, ReadOnlySpan<byte> payload)
    {
        if (_logsRequests)
        {
            Log?.Invoke(string.Create(CultureInfo.InvariantCulture, $"{connection.Id} {header.Operation} tx {header.TransactionId}: {Encoding.Latin1.GetString(payload).Replace('\0', ' ')}"));
        }
    }
}
