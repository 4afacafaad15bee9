// From a boot module to the kernel's ELF file.
namespace Xenolith.Loading;

/// <summary>Recognises what a module is packed with.</summary>
internal static class KernelUnpacker
{
    private const uint MaximumKernelBytes = 1u << 30;

    /// <summary>
    /// Looks at the module. When it is packed, <paramref name="payload"/> and <paramref name="unpackedBytes"/> say what
    /// <see cref="Unpack"/> needs; when it is an ELF file already, <paramref name="unpackedBytes"/> is 0.
    /// </summary>
    internal static LoadError TryInspect(ReadOnlySpan<byte> module, out ReadOnlySpan<byte> payload, out uint unpackedBytes)
    {
        payload = module;
        unpackedBytes = 0;
        if (Elf64.IsMagic(module))
        {
            return LoadError.None;
        }

        if (!BzImage.IsMagic(module))
        {
            return LoadError.NotAKernel;
        }

        LoadError error = BzImage.TryFindPayload(module, out payload, out unpackedBytes);
        if (error != LoadError.None)
        {
            return error;
        }

        error = Recognise(payload);
        if (error != LoadError.None)
        {
            return error;
        }

        return unpackedBytes is 0 or > MaximumKernelBytes ? LoadError.Corrupt : LoadError.None;
    }

    /// <summary>Unpacks a payload into a buffer of exactly the length that <see cref="TryInspect"/> gave.</summary>
    internal static LoadError Unpack(ReadOnlySpan<byte> payload, Span<byte> output)
    {
        // Only gzip ends with the length itself; Linux appends it to the others.
        ReadOnlySpan<byte> packed = payload.Slice(0, payload.Length - 4);
        int written;
        UnpackResult result = Xz.IsMagic(payload) ? Xz.Unpack(packed, output, out written)
            : Zstd.IsMagic(payload) ? Zstd.Unpack(packed, output, out written)
            : Lz4.IsMagic(payload) ? Lz4.Unpack(packed, output, out written)
            : Gzip.Unpack(payload, output, out written);
        return result switch
        {
            UnpackResult.Done => written == output.Length ? LoadError.None : LoadError.Corrupt,
            UnpackResult.Truncated => LoadError.Truncated,
            UnpackResult.Unsupported => LoadError.UnsupportedPacking,
            _ => LoadError.Corrupt,
        };
    }

    private static LoadError Recognise(ReadOnlySpan<byte> payload)
    {
        if (Gzip.IsMagic(payload) || Xz.IsMagic(payload) || Zstd.IsMagic(payload) || Lz4.IsMagic(payload))
        {
            return LoadError.None;
        }

        return Bytes.U32(payload, 0) switch
        {
            0x4F5A_4C89 => LoadError.PackedWithLzo,
            uint magic when (magic & 0xFF_FFFF) == 0x68_5A42 => LoadError.PackedWithBzip2,
            uint magic when (magic & 0xFFFF) == 0x005D => LoadError.PackedWithLzma,
            _ => LoadError.UnsupportedPacking,
        };
    }
}
