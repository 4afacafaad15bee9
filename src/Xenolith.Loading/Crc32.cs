// The checksum of gzip and xz.
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>CRC-32 as of IEEE 802.3 (reflected polynomial 0xEDB88320), eight bytes at a step.</summary>
internal static class Crc32
{
    private const uint Polynomial = 0xEDB8_8320;
    private const int Steps = 8;

    private static Tables s_tables;
    private static bool s_isReady;

    internal static uint Of(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<uint> table = s_tables;
        if (!s_isReady)
        {
            Fill(s_tables);
            s_isReady = true;
        }

        uint crc = ~0u;
        int at = 0;
        for (; at <= bytes.Length - Steps; at += Steps)
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(at)) ^ crc;
            crc = table[(7 * 256) + (byte)word] ^ table[(6 * 256) + (byte)(word >> 8)]
                ^ table[(5 * 256) + (byte)(word >> 16)] ^ table[(4 * 256) + (byte)(word >> 24)]
                ^ table[(3 * 256) + (byte)(word >> 32)] ^ table[(2 * 256) + (byte)(word >> 40)]
                ^ table[256 + (byte)(word >> 48)] ^ table[(int)(word >> 56)];
        }

        for (; at < bytes.Length; at++)
        {
            crc = (crc >> 8) ^ table[(byte)(crc ^ bytes[at])];
        }

        return ~crc;
    }

    private static void Fill(Span<uint> table)
    {
        for (int value = 0; value < 256; value++)
        {
            uint crc = (uint)value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? Polynomial : 0);
            }

            table[value] = crc;
        }

        for (int at = 256; at < table.Length; at++)
        {
            uint previous = table[at - 256];
            table[at] = (previous >> 8) ^ table[(byte)previous];
        }
    }

    [InlineArray(Steps * 256)]
    private struct Tables
    {
        private uint _first;
    }
}
