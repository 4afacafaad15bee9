// On whose behalf a request is made.

namespace Xenod.Xenstore;

/// <summary>A domain, and the domain that it serves, whose rights it has too. Domain 0 may do everything.</summary>
internal readonly record struct Caller(uint Domain, uint? Target)
{
    public static Caller Domain0 => new(0, null);

    public bool Privileged => Domain == 0;

    public bool Is(uint domain) => domain == Domain || domain == Target;
}
