// The memory of a domain under construction, by page number.
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Building;

/// <summary>Takes the frames, and maps pages that the builder writes.</summary>
internal sealed class MemoryImage(ControlInterface control, ushort domain, ulong pages)
{
    private const int LargeOrder = 9;
    private const int LargePages = 1 << LargeOrder;

    // 1 GiB a call: often enough to be cancelled in between.
    private const int LargeAtOnce = 512;
    private const int SmallAtOnce = 1 << 17;

    private readonly ulong[] _frames = new ulong[pages];

    /// <summary>Frame of each page: the list that the domain starts with.</summary>
    internal ReadOnlySpan<ulong> Frames => _frames;

    /// <summary>Takes all pages, in pieces of 2 MiB as long as there are such.</summary>
    internal void Populate(Action<long> report, CancellationToken cancellation)
    {
        int done = 0;
        bool isLarge = true;
        while (done < _frames.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            int whole = (_frames.Length - done) / LargePages;
            if (isLarge && whole > 0)
            {
                int wanted = Math.Min(whole, LargeAtOnce);
                int made = PopulateLarge(done, wanted);
                done += made * LargePages;
                isLarge = made == wanted;
            }
            else
            {
                done += PopulateSmall(done, Math.Min(_frames.Length - done, SmallAtOnce));
            }

            report(done);
        }
    }

    /// <summary>Maps pages to be written.</summary>
    internal ForeignMapping Map(ulong first, int count) => control.Hypervisor.Map(domain, _frames.AsSpan((int)first, count), true);

    /// <summary>Maps two ranges of pages together.</summary>
    internal MappedPages Map((ulong First, int Count) range, (ulong First, int Count) other)
    {
        ulong[] frames = new ulong[range.Count + other.Count];
        _frames.AsSpan((int)range.First, range.Count).CopyTo(frames);
        _frames.AsSpan((int)other.First, other.Count).CopyTo(frames.AsSpan(range.Count));
        return new MappedPages(control.Hypervisor.Map(domain, frames, true), range, other);
    }

    private int PopulateLarge(int first, int count)
    {
        Span<ulong> extents = stackalloc ulong[LargeAtOnce];
        extents = extents[..count];
        for (int i = 0; i < count; i++)
        {
            extents[i] = (ulong)(first + (i * LargePages));
        }

        int made = control.Memory.Populate(domain, LargeOrder, extents);
        for (int i = 0; i < made; i++)
        {
            for (int page = 0; page < LargePages; page++)
            {
                _frames[first + (i * LargePages) + page] = extents[i] + (ulong)page;
            }
        }

        return made;
    }

    private int PopulateSmall(int first, int count)
    {
        Span<ulong> frames = _frames.AsSpan(first, count);
        for (int i = 0; i < count; i++)
        {
            frames[i] = (ulong)(first + i);
        }

        int made = control.Memory.Populate(domain, 0, frames);
        return made == count
            ? made
            : throw XenException.For("populate_physmap", Abi.XenError.NoMemory, domain, $"only {(first + made) / 256} of {_frames.Length / 256} MiB are free");
    }
}
