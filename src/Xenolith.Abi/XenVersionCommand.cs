// Numbers of the operations of xen_version.
namespace Xenolith.Abi;

/// <summary>XENVER_* (public version.h).</summary>
public enum XenVersionCommand : uint
{
    Version = 0, ExtraVersion = 1, CompileInfo = 2, Capabilities = 3, ChangeSet = 4, PlatformParameters = 5, GetFeatures = 6,
    PageSize = 7, GuestHandle = 8, CommandLine = 9, BuildId = 10,
}

/// <summary>Offsets in struct xen_compile_info, and lengths of the texts (public version.h).</summary>
public static class XenVersionLayout
{
    public const int ExtraVersionBytes = 16;
    public const int CapabilitiesBytes = 1024;
    public const int ChangeSetBytes = 64;
    public const int CommandLineBytes = 1024;
    public const int CompileInfoBytes = 144;
    public const int Compiler = 0;
    public const int CompiledBy = 64;
    public const int CompileDomain = 80;
    public const int CompileDate = 112;
}
