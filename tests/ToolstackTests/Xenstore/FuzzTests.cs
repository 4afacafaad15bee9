// Random messages: whatever comes, the server answers and keeps its counts.

using System.Text;
using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using Xenolith.UnitTests.Support;

namespace ToolstackTests.Xenstore;

public class FuzzTests
{
    private static readonly string[] Words =
        ["/", "/a", "a", "/local/domain/5", "/local/domain/5/x", "x", "x/y", "@releaseDomain", "@introduceDomain", "@", "//", "T", "F", "0", "5", "6", "1", "32752", "n5", "b0", "r6", "n0", "token",
        "18446744073709551615", "-1", "", "check", "quota", "help", "\u00ff", new('l', 3000), new('/', 20), "/a/b/c/d/e/f/g/h"];

    public static IEnumerable<TheoryDataRow<int>> Seeds => Soak.Seeds(1, 12);

    public static byte[] RandomMessage(Random random)
    {
        XenstoreOperation operation = (XenstoreOperation)(random.Next(20) == 0 ? random.Next() : random.Next(24));
        byte[] payload;
        if (random.Next(8) == 0)
        {
            payload = new byte[random.Next(200)];
            random.NextBytes(payload);
        }
        else
        {
            StringBuilder text = new();
            for (int i = random.Next(5); i > 0; i--)
            {
                text.Append(Words[random.Next(Words.Length)]).Append(random.Next(12) == 0 ? "" : "\0");
            }
            payload = Encoding.Latin1.GetBytes(text.ToString());
            payload = payload.Length > XenstoreHeader.MaximumPayload ? payload[..XenstoreHeader.MaximumPayload] : payload;
        }
        return XenstoreHeader.Format(operation, (uint)random.Next(), random.Next(3) == 0 ? (uint)random.Next(12) : 0, payload);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void EveryRequestGetsOneReply(int seed)
    {
        Random random = new(seed);
        TestStore store = new();
        store.Introduce(5);
        store.Introduce(6);
        for (int i = 0; i < 2000; i++)
        {
            Connection[] all = [.. store.Machine.Connections.Values];
            Connection connection = all[random.Next(all.Length)];
            byte[] message = RandomMessage(random);
            XenstoreHeader header = XenstoreHeader.Read(message);
            store.Send(connection, message);
            int replies = 0;
            foreach (Received received in store.Drain(connection).Where(received => received.Operation != XenstoreOperation.WatchEvent))
            {
                replies++;
                Assert.Equal((header.RequestId, header.TransactionId), (received.Request, received.Transaction));
                Assert.True(received.Operation == XenstoreOperation.Error || received.Operation == header.Operation);
                Assert.InRange(received.Text.Length, 0, XenstoreHeader.MaximumPayload);
            }
            Assert.Equal(1, replies);
        }
        Assert.Equal("OK", store.Ask(store.Domain0, XenstoreOperation.Control, "check|"));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void RandomBytesAreTakenOrEndTheConnection(int seed)
    {
        Random random = new(seed);
        TestStore store = new();
        Connection guest = store.Introduce(5);
        byte[] bytes = new byte[20];
        for (int i = 0; i < 5000 && !guest.Broken; i++)
        {
            random.NextBytes(bytes);
            // Otherwise nearly every length would be too long.
            bytes[14] = bytes[15] = 0;
            store.Send(guest, bytes);
            store.Drain(guest);
        }
        Assert.Equal("OK", store.Ask(store.Domain0, XenstoreOperation.Control, "check|"));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void PiecesOfAnySizeMakeTheSameMessages(int seed)
    {
        Random random = new(seed);
        TestStore whole = new();
        TestStore pieces = new();
        Connection[] guests = [whole.Introduce(5), pieces.Introduce(5)];
        for (int i = 0; i < 300; i++)
        {
            byte[] message = RandomMessage(random);
            whole.Send(guests[0], message);
            ReadOnlySpan<byte> rest = message;
            while (!rest.IsEmpty)
            {
                int length = Math.Min(random.Next(1, 30), rest.Length);
                pieces.Send(guests[1], rest[..length]);
                rest = rest[length..];
            }
            Assert.Equal(whole.Drain(guests[0]), pieces.Drain(guests[1]));
        }
        Assert.Equal(TestStore.State(whole.Machine), TestStore.State(pieces.Machine));
    }
}
