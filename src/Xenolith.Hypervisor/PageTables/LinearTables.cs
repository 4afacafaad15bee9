// Tables that are also mapped as tables of the level below: the guest reads its own page tables through them.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>
/// Linear entries, at levels 2 and 3, never writable. An entry that names its own table holds nothing. One that names another table
/// of its level, which must be in use already, holds a general and a type reference of it; such entries form no chains
/// (<see cref="FrameInfo.LinearBalance"/>). Level 4 has none: through a root that maps a root, the hypervisor's own tables would
/// answer to guest addresses, which its copies from guest memory trust.
/// </summary>
internal static class LinearTables
{
    private const int HighestLevel = 3;

    /// <summary>Whether an entry of a table of <paramref name="level"/> that names <paramref name="target"/> would be a linear one.</summary>
    internal static bool IsLinear(ref Domain domain, Mfn table, Mfn target, int level)
    {
        if (target == table)
        {
            return true;
        }

        if (!FrameTable.IsOwnedBy(target, domain.Id))
        {
            return false;
        }

        ref FrameInfo info = ref FrameTable.At(target);
        return info.TypeCount != 0 && info.Type == (PageType)level;
    }

    /// <summary>Takes the references of a linear entry. Error: Invalid.</summary>
    internal static XenError TryTake(Mfn table, Mfn target, int level, bool isWritable)
    {
        if (level > HighestLevel || isWritable)
        {
            return XenError.Invalid;
        }

        if (target == table)
        {
            return XenError.None;
        }

        ref FrameInfo holder = ref FrameTable.At(table);
        ref FrameInfo named = ref FrameTable.At(target);
        if (!named.IsValidated || named.IsDismantling || named.IsBuilding || named.LinearBalance is > 0 or <= FrameInfo.LinearLimit || holder.LinearBalance < 0
            || named.GeneralCount >= FrameInfo.CountLimit || named.TypeCount >= FrameInfo.CountLimit)
        {
            return XenError.Invalid;
        }

        named.AddGeneral();
        named.AddType();
        named.LinearBalance--;
        holder.LinearBalance++;
        return XenError.None;
    }

    /// <summary>The entry goes: notes it if it was a linear one. Its references are the caller's to drop, as any entry's.</summary>
    internal static void Forget(Mfn table, Mfn target, int level)
    {
        ref FrameInfo named = ref FrameTable.At(target);
        if (named.Type == (PageType)level)
        {
            named.LinearBalance++;
            FrameTable.At(table).LinearBalance--;
        }
    }
}
