// The checksum of Zstandard.
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>XXH64 with seed 0 (xxHash specification 0.1.1).</summary>
internal static class XxHash64
{
    private const ulong Prime1 = 0x9E37_79B1_85EB_CA87;
    private const ulong Prime2 = 0xC2B2_AE3D_27D4_EB4F;
    private const ulong Prime3 = 0x1656_67B1_9E37_79F9;
    private const ulong Prime4 = 0x85EB_CA77_C2B2_AE63;
    private const ulong Prime5 = 0x27D4_EB2F_1656_67C5;
    private const int StripeBytes = 32;

    internal static ulong Of(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        ulong hash = Prime5;
        if (bytes.Length >= StripeBytes)
        {
            ulong first = unchecked(Prime1 + Prime2);
            ulong second = Prime2;
            ulong third = 0;
            ulong fourth = unchecked(0 - Prime1);
            for (; at <= bytes.Length - StripeBytes; at += StripeBytes)
            {
                ReadOnlySpan<byte> stripe = bytes.Slice(at, StripeBytes);
                first = Round(first, Bytes.U64(stripe, 0));
                second = Round(second, Bytes.U64(stripe, 8));
                third = Round(third, Bytes.U64(stripe, 16));
                fourth = Round(fourth, Bytes.U64(stripe, 24));
            }

            hash = Rotate(first, 1) + Rotate(second, 7) + Rotate(third, 12) + Rotate(fourth, 18);
            hash = Merge(Merge(Merge(Merge(hash, first), second), third), fourth);
        }

        hash += (ulong)bytes.Length;
        for (; at <= bytes.Length - 8; at += 8)
        {
            hash = (Rotate(hash ^ Round(0, Bytes.U64(bytes, at)), 27) * Prime1) + Prime4;
        }

        for (; at <= bytes.Length - 4; at += 4)
        {
            hash = (Rotate(hash ^ (Bytes.U32(bytes, at) * Prime1), 23) * Prime2) + Prime3;
        }

        for (; at < bytes.Length; at++)
        {
            hash = Rotate(hash ^ (bytes[at] * Prime5), 11) * Prime1;
        }

        hash = (hash ^ (hash >> 33)) * Prime2;
        hash = (hash ^ (hash >> 29)) * Prime3;
        return hash ^ (hash >> 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Round(ulong lane, ulong value) => Rotate(lane + (value * Prime2), 31) * Prime1;

    private static ulong Merge(ulong hash, ulong lane) => ((hash ^ Round(0, lane)) * Prime1) + Prime4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Rotate(ulong value, int bits) => (value << bits) | (value >> (64 - bits));
}
