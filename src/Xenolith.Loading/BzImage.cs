// The Linux boot image around a packed kernel.
namespace Xenolith.Loading;

/// <summary>Finds the payload of a bzImage (Linux x86 boot protocol 2.08 and later).</summary>
internal static class BzImage
{
    private const int SetupSectors = 0x1F1;
    private const int Magic = 0x202;
    private const int Version = 0x206;
    private const int PayloadOffset = 0x248;
    private const int PayloadLength = 0x24C;
    private const int HeaderEnd = 0x250;
    private const int SectorBytes = 512;
    private const ushort FirstVersionWithPayload = 0x208;

    internal static bool IsMagic(ReadOnlySpan<byte> image) => image.Length >= HeaderEnd && image.Slice(Magic).StartsWith("HdrS"u8);

    /// <summary>
    /// The packed kernel and the length it unpacks to, which stands in the payload's last four bytes.
    /// False when the header points outside the image: it is truncated.
    /// </summary>
    internal static LoadError TryFindPayload(ReadOnlySpan<byte> image, out ReadOnlySpan<byte> payload, out uint unpackedBytes)
    {
        payload = default;
        unpackedBytes = 0;
        if (Bytes.U16(image, Version) < FirstVersionWithPayload)
        {
            return LoadError.OldBootProtocol;
        }

        uint sectors = image[SetupSectors] == 0 ? 4u : image[SetupSectors];
        ulong start = ((sectors + 1) * SectorBytes) + (ulong)Bytes.U32(image, PayloadOffset);
        uint length = Bytes.U32(image, PayloadLength);
        if (length < 8 || start + length > (ulong)image.Length)
        {
            return LoadError.Truncated;
        }

        ReadOnlySpan<byte> whole = image.Slice((int)start, (int)length);
        unpackedBytes = Bytes.U32(whole, whole.Length - 4);
        payload = whole;
        return LoadError.None;
    }
}
