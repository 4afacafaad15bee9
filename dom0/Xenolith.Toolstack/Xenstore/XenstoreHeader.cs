// The 16 bytes before every xenstore message (public header io/xs_wire.h, struct xsd_sockmsg).

using System.Buffers.Binary;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>A message's header.</summary>
/// <param name="Operation">The request's kind; replies repeat it or say <see cref="XenstoreOperation.Error"/>.</param>
/// <param name="RequestId">Chosen by the client, repeated by the reply.</param>
/// <param name="TransactionId">The transaction that the request belongs to; 0 when it belongs to none.</param>
/// <param name="Length">Bytes of payload that follow, as the sender says.</param>
public readonly record struct XenstoreHeader(XenstoreOperation Operation, uint RequestId, uint TransactionId, uint Length)
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 16;

    /// <summary>The most bytes of payload that a message may have.</summary>
    public const int MaximumPayload = 4096;

    /// <summary>Reads a header from the first <see cref="Size"/> bytes; nothing is checked.</summary>
    public static XenstoreHeader Read(ReadOnlySpan<byte> source) => new(
        (XenstoreOperation)BinaryPrimitives.ReadUInt32LittleEndian(source),
        BinaryPrimitives.ReadUInt32LittleEndian(source[4..]),
        BinaryPrimitives.ReadUInt32LittleEndian(source[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(source[12..]));

    /// <summary>Writes the header into the first <see cref="Size"/> bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)Operation);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], RequestId);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], TransactionId);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[12..], Length);
    }

    /// <summary>The whole message of this kind with that payload.</summary>
    public static byte[] Format(XenstoreOperation operation, uint requestId, uint transactionId, ReadOnlySpan<byte> payload)
    {
        byte[] message = new byte[Size + payload.Length];
        new XenstoreHeader(operation, requestId, transactionId, (uint)payload.Length).Write(message);
        payload.CopyTo(message.AsSpan(Size));
        return message;
    }
}
