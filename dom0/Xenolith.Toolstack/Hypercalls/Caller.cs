// The frame around the operations of domctl, sysctl and memory_op.
using System.Runtime.CompilerServices;
using System.Text;
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Puts structures into buffers, makes the call, and turns error numbers into exceptions.</summary>
internal sealed class Caller(IHypervisor hypervisor)
{
    private const int DomctlBytes = 144;
    private const int DomctlArguments = 16;
    private const int SysctlBytes = 136;
    private const int SysctlArguments = 8;
    private const long LowestError = -4095;

    internal IHypervisor Hypervisor => hypervisor;

    /// <summary>An operation on a domain; gives the arguments as the hypervisor left them.</summary>
    internal T Domctl<T>(DomctlCommand command, string operation, ushort domain, T arguments)
        where T : unmanaged
    {
        XenError error = TryDomctl(command, ref domain, ref arguments);
        return error == XenError.None ? arguments : throw XenException.For(operation, error, domain);
    }

    internal void Domctl(DomctlCommand command, string operation, ushort domain) => Domctl(command, operation, domain, 0UL);

    /// <summary>As <see cref="Domctl{T}"/> with the error as result; <paramref name="domain"/> may be changed by the hypervisor.</summary>
    internal XenError TryDomctl<T>(DomctlCommand command, ref ushort domain, ref T arguments)
        where T : unmanaged
    {
        using HypercallBuffer buffer = hypervisor.Rent(DomctlBytes);
        buffer.Write(0, new DomctlHeader { Command = command, Version = DomctlHeader.CurrentVersion, Domain = domain });
        buffer.Write(DomctlArguments, in arguments);
        long result = hypervisor.Call(HypercallNumber.Domctl, buffer.Address);
        arguments = buffer.Read<T>(DomctlArguments);
        domain = buffer.Read<DomctlHeader>().Domain;
        return ErrorOf(result);
    }

    /// <summary>An operation on the machine; gives the arguments as the hypervisor left them.</summary>
    internal T Sysctl<T>(SysctlCommand command, string operation, T arguments)
        where T : unmanaged
    {
        XenError error = TrySysctl(command, ref arguments);
        return error == XenError.None ? arguments : throw XenException.For(operation, error);
    }

    internal XenError TrySysctl<T>(SysctlCommand command, ref T arguments)
        where T : unmanaged
    {
        using HypercallBuffer buffer = hypervisor.Rent(SysctlBytes);
        buffer.Write(0, new SysctlHeader { Command = command, Version = SysctlHeader.CurrentVersion });
        buffer.Write(SysctlArguments, in arguments);
        long result = hypervisor.Call(HypercallNumber.Sysctl, buffer.Address);
        arguments = buffer.Read<T>(SysctlArguments);
        return ErrorOf(result);
    }

    /// <summary>
    /// A memory operation with a structure; the result may be longer than the 32 bits that the kernel passes on, so it comes by way of a
    /// multicall of one entry. A negative result is an error number.
    /// </summary>
    internal long Memory<T>(MemoryCommand command, ref T arguments)
        where T : unmanaged
    {
        int entry = (Unsafe.SizeOf<T>() + 15) & ~15;
        using HypercallBuffer buffer = hypervisor.Rent(entry + Unsafe.SizeOf<MulticallEntry>());
        buffer.Write(0, in arguments);
        buffer.Write(entry, new MulticallEntry { Operation = (ulong)HypercallNumber.MemoryOp, Argument0 = (ulong)command, Argument1 = buffer.Address });
        long result = hypervisor.Call(HypercallNumber.Multicall, buffer.Address + (ulong)entry, 1);
        if (result < 0)
        {
            return result;
        }

        arguments = buffer.Read<T>();
        return buffer.Read<MulticallEntry>(entry).Result;
    }

    /// <summary>A memory operation that fails with an exception.</summary>
    internal long Memory<T>(MemoryCommand command, string operation, T arguments, ushort? domain = null)
        where T : unmanaged
    {
        long result = Memory(command, ref arguments);
        return result is >= LowestError and < 0 ? throw XenException.For(operation, ErrorOf(result), domain) : result;
    }

    /// <summary>A call with one structure; gives the structure as the hypervisor left it.</summary>
    internal T Call<T>(HypercallNumber number, ulong command, string operation, T arguments, ushort? domain = null)
        where T : unmanaged
    {
        using HypercallBuffer buffer = hypervisor.Rent(Unsafe.SizeOf<T>());
        buffer.Write(0, in arguments);
        Require(hypervisor.Call(number, command, buffer.Address), operation, domain);
        return buffer.Read<T>();
    }

    internal static long Require(long result, string operation, ushort? domain = null)
        => result < 0 ? throw XenException.For(operation, ErrorOf(result), domain) : result;

    internal static XenError ErrorOf(long result) => result < 0 ? (XenError)(-result) : XenError.None;

    /// <summary>A text that ends with a zero byte, or with its room.</summary>
    internal static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
