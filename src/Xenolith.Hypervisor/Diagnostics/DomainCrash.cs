// The end of a domain by its own mistake.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Diagnostics;

/// <summary>Reports what the guest did and stops the domain; the hypervisor goes on.</summary>
internal static class DomainCrash
{
    private const int StackWords = 16;

    internal static void Crash(ref Vcpu vcpu, ReadOnlySpan<byte> reason)
    {
        ref Domain domain = ref vcpu.Domain;
        if (domain.State == DomainState.Crashed)
        {
            return;
        }

        domain.State = DomainState.Crashed;
        ref VcpuContext context = ref vcpu.Context;
        Log.Always("domain"u8).Text("d"u8).Decimal((ulong)domain.Id).Text("v"u8).Decimal((ulong)vcpu.Id).Text(" crashed: "u8).Text(reason).End();
        Log.Plain().Text("  "u8).Text(context.InKernel != 0 ? "kernel"u8 : "user"u8).Text(" mode, vector "u8).Hex(context.Registers.Vector)
            .Text(" error code "u8).Hex(context.Registers.ErrorCode).Text(" cr2 "u8).Hex(ControlRegisters.Cr2, 16).End();
        RegisterDump.Print(ref context.Registers);
        Log.Plain().Text("  kernel root "u8).Hex(context.KernelRoot).Text(" user root "u8).Hex(context.UserRoot)
            .Text(" kernel sp "u8).Hex(vcpu.Traps.KernelSp, 16)
            .Text(" last hypercall "u8).Decimal(vcpu.Traps.LastHypercall).End();
        PrintStack(context.Registers.Rsp);
        DomainShutdown.SetCode(ref domain, (byte)ShutdownReason.Crash);
        DomainShutdown.Stop(ref domain);
        DomainShutdown.Announce(ref domain, ShutdownReason.Crash);
        DomainEnd.Follow(ref domain, ShutdownReason.Crash);
    }

    private static void PrintStack(ulong stack)
    {
        for (int i = 0; i < StackWords; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(stack + ((ulong)i * 8)), out ulong word))
            {
                Log.Plain().Text(i == 0 ? "  stack not readable"u8 : i % 4 == 0 ? "        ends here"u8 : "ends here"u8).End();
                return;
            }

            if (i % 4 == 0)
            {
                Log.Plain().Text(i == 0 ? "  stack "u8 : "        "u8);
            }

            Log line = Log.Plain().Hex(word, 16).Text(" "u8);
            if (i % 4 == 3)
            {
                line.End();
            }
        }
    }
}
