// What becomes of a domain that has ended.
namespace Xenolith.Toolstack.Configuration;

/// <summary>What becomes of a domain that has ended in some way.</summary>
public enum DomainAction
{
    /// <summary>It is destroyed.</summary>
    Destroy,

    /// <summary>It is destroyed and made anew from its configuration.</summary>
    Restart,

    /// <summary>It keeps its memory under another name, and is made anew from its configuration.</summary>
    RenameRestart,

    /// <summary>It keeps its memory until somebody destroys it.</summary>
    Preserve,
}
