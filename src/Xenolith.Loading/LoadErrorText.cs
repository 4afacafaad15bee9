// What to tell the user about a kernel that cannot be loaded.
namespace Xenolith.Loading;

/// <summary>One sentence each: what is wrong and what to do.</summary>
internal static class LoadErrorText
{
    internal static ReadOnlySpan<byte> For(LoadError error) => error switch
    {
        LoadError.NotAKernel => "it is neither a Linux bzImage nor an ELF file; name a kernel such as /boot/vmlinuz"u8,
        LoadError.OldBootProtocol => "its boot protocol is older than 2.08; use a kernel of this century"u8,
        LoadError.Truncated => "it is truncated; copy it again"u8,
        LoadError.Corrupt => "its packed part is corrupt (a checksum or a rule of the format is violated); copy it again"u8,
        LoadError.UnsupportedPacking => "its packing is not supported; use a kernel packed with gzip, xz, zstd or lz4, or an unpacked ELF kernel"u8,
        LoadError.PackedWithLzo => "it is packed with lzo, which is not supported; use a kernel packed with gzip, xz, zstd or lz4, or an unpacked ELF kernel"u8,
        LoadError.PackedWithBzip2 => "it is packed with bzip2, which is not supported; use a kernel packed with gzip, xz, zstd or lz4, or an unpacked ELF kernel"u8,
        LoadError.PackedWithLzma => "it is packed with lzma, which is not supported; use a kernel packed with gzip, xz, zstd or lz4, or an unpacked ELF kernel"u8,
        LoadError.TooBig => "there is too little memory to unpack it; give the machine more RAM"u8,
        LoadError.Not64Bit => "it is not a 64-bit x86 kernel; 32-bit PV kernels are not supported"u8,
        LoadError.BadElf => "its ELF headers are inconsistent; copy it again"u8,
        LoadError.NoXenNotes => "it has no Xen ELF notes, so it was built without PV support (CONFIG_XEN_PV)"u8,
        LoadError.NoEntryNote => "its Xen notes name no entry point, so it was built without PV support (CONFIG_XEN_PV)"u8,
        LoadError.NotForDomain0 => "its Xen notes say that it cannot be Domain 0 (built without CONFIG_XEN_DOM0)"u8,
        LoadError.HypervisorTooLow => "it wants the hypervisor at addresses above its own"u8,
        _ => "its segments or their addresses make no sense; copy it again"u8,
    };
}
