// Reads the description of a disk.
namespace Xenolith.Toolstack.Configuration;

/// <summary>Reads a disk's description: <c>target, format, vdev, access</c> by position, <c>key=value</c> and flags in any mix, and the older <c>phy:</c> forms.</summary>
public sealed class DiskParser
{
    private static readonly string[] s_silentPrefixes = ["phy:", "file:", "aio:", "tap2:", "tap:", "tapdisk:", "ioemu:"];
    private static readonly string[] s_scriptPrefixes = ["iscsi:", "nbd:", "enbd:", "drbd:"];

    private readonly string _text;
    private readonly Dictionary<string, string> _parameters = new(StringComparer.Ordinal);
    private bool _hasPrefix;

    private DiskParser(string text)
    {
        _text = text;
    }

    /// <summary>Reads a description.</summary>
    /// <exception cref="FormatException">It is none; the message says what is wrong and what to write.</exception>
    public static DiskSpecification Parse(string text)
    {
        DiskParser parser = new(text);
        parser.Cut();
        return parser.Build();
    }

    private void Cut()
    {
        string rest = _text;
        string[] positions = ["target", "format", "vdev", "access"];
        int position = 0;
        while (rest.Length > 0)
        {
            rest = rest.TrimStart();
            if (rest.StartsWith("target=", StringComparison.Ordinal))
            {
                Set("target", rest["target=".Length..]);
                return;
            }

            int comma = rest.IndexOf(',', StringComparison.Ordinal);
            string part = (comma < 0 ? rest : rest[..comma]).TrimEnd();
            rest = comma < 0 ? "" : rest[(comma + 1)..];
            if (TryNamed(part))
            {
                continue;
            }

            if (position == 0)
            {
                part = WithoutPrefix(part);
            }
            else if (position == 1 && _hasPrefix)
            {
                // In the older form the second place is the guest's device already.
                position++;
            }

            if (position >= positions.Length)
            {
                throw Wrong($"'{part}' stands behind the four places target, format, vdev, access");
            }

            if (part.Length > 0)
            {
                Set(positions[position], part);
            }

            position++;
        }
    }

    private bool TryNamed(string part)
    {
        switch (part)
        {
            case "cdrom" or "direct-io-safe" or "discard" or "no-discard" or "trusted" or "untrusted":
                Set(part == "no-discard" ? "discard" : part, part == "no-discard" ? "0" : "1");
                return true;
            default:
                int sign = part.IndexOf('=', StringComparison.Ordinal);
                string key = sign < 0 ? "" : part[..sign].TrimEnd();
                if (key is not ("format" or "vdev" or "access" or "devtype" or "backend" or "backendtype" or "specification" or "script"))
                {
                    return false;
                }

                Set(key, part[(sign + 1)..].TrimStart());
                return true;
        }
    }

    private string WithoutPrefix(string target)
    {
        string? script = Array.Find(s_scriptPrefixes, prefix => target.StartsWith(prefix, StringComparison.Ordinal));
        if (script is not null)
        {
            throw Wrong($"disks of the kind '{script}' need a script, which is not run here; attach the device in Domain 0 and name it as the target");
        }

        for (string? prefix = SilentPrefix(target); prefix is not null; prefix = SilentPrefix(target))
        {
            target = target[prefix.Length..];
            _hasPrefix = true;
        }

        int colon = target.IndexOf(':', StringComparison.Ordinal);
        if (colon > 0 && target[..colon] is "raw" or "qcow" or "qcow2" or "vhd")
        {
            Set("format", target[..colon]);
            target = target[(colon + 1)..];
            _hasPrefix = true;
        }

        return target;
    }

    private static string? SilentPrefix(string target) => Array.Find(s_silentPrefixes, prefix => target.StartsWith(prefix, StringComparison.Ordinal));

    private void Set(string key, string value)
    {
        if (!_parameters.TryAdd(key, value))
        {
            throw Wrong($"'{key}' is given twice");
        }
    }

    private DiskSpecification Build()
    {
        string device = Take("vdev") ?? throw Wrong("it names no device for the guest; write for example /srv/disk.img,raw,xvda,w");
        bool isCdrom = _parameters.ContainsKey("cdrom") || Take("devtype") switch
        {
            null or "disk" => false,
            "cdrom" => true,
            string other => throw Wrong($"devtype is 'disk' or 'cdrom', not '{other}'"),
        };
        if (device.EndsWith(":cdrom", StringComparison.Ordinal))
        {
            isCdrom = true;
            device = device[..^":cdrom".Length];
        }
        else if (device.EndsWith(":disk", StringComparison.Ordinal))
        {
            device = device[..^":disk".Length];
        }

        RefuseWhatIsNotHere();
        string target = Take("target") ?? "";
        DiskFormat format = FormatOf(Take("format"), target);
        if (target.Length == 0 && format != DiskFormat.Empty)
        {
            throw Wrong("it names no file and no block device as its target; only a drive without a medium (format=empty) has none");
        }

        string access = Take("access") ?? (isCdrom ? "r" : "w");
        bool isShared = access.EndsWith('!');
        return new DiskSpecification(target.Length == 0 || target.StartsWith('/') ? target : "/dev/" + target, VirtualDevice.Parse(device))
        {
            Text = _text,
            Format = format,
            IsCdrom = isCdrom,
            IsShared = isShared,
            IsReadOnly = access.TrimEnd('!') switch
            {
                "r" or "ro" => true,
                "w" or "rw" => false,
                _ => throw Wrong($"access is r, ro, w or rw, with '!' for a disk that others use too, not '{access}'"),
            },
            AllowsDiscard = Take("discard") is string discard ? discard == "1" : null,
        };
    }

    private void RefuseWhatIsNotHere()
    {
        if (Take("script") is string script)
        {
            throw Wrong($"it asks for the script '{script}', and no scripts are run here; attach the device in Domain 0 and name it as the target");
        }

        if (Take("specification") is not (null or "xen"))
        {
            throw Wrong("only Xen's own block protocol is served (specification=xen)");
        }

        if (Take("backend") is not (null or "0" or "Domain-0"))
        {
            throw Wrong("only Domain 0 serves disks; leave backend= out");
        }
    }

    private DiskFormat FormatOf(string? format, string target) => format switch
    {
        null when target.Length == 0 => DiskFormat.Empty,
        null or "raw" or "phy" => DiskFormat.Raw,
        "qcow2" => DiskFormat.Qcow2,
        "qcow" => DiskFormat.Qcow,
        "extents" => DiskFormat.Extents,
        "vhd" => DiskFormat.Vhd,
        "qed" => DiskFormat.Qed,
        "empty" => DiskFormat.Empty,
        _ => throw Wrong($"the format '{format}' is unknown; it is one of raw, qcow2, extents, qcow, vhd, qed, empty"),
    };

    private string? Take(string key) => _parameters.GetValueOrDefault(key) is { Length: > 0 } value ? value : null;

    private FormatException Wrong(string problem) => new($"the disk '{_text}': {problem}");
}
