// random: hypercalls and page-table work without sense but not without plausibility, from two vcpus, as a seed says.
using System.Runtime;
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>Command line: victim=N self=N seed=N calls=N. With one vcpu a run repeats exactly; with two, as far as their order does.</summary>
internal static unsafe class RandomProgram
{
    private const ulong WritableTables = 2;
    private const int ListEntries = 6;

    private static RandomCalls* s_workers;
    private static ulong s_calls;

    private static ulong Done => Volatile.Read(ref s_workers[0].Calls) + Volatile.Read(ref s_workers[1].Calls);

    [RuntimeExport("guest_random")]
    private static void Main()
    {
        Neighbour.Start();
        Events.Start();
        Traps.Callbacks();
        Descriptors.Start();
        s_calls = Arguments.Number("calls"u8, 100_000);
        ulong seed = Arguments.Number("seed"u8, 1);
        Report.Result(Xen.Call(HypercallNumber.VmAssist, 0, WritableTables), XenError.None, "writes to tables are carried out"u8);
        RandomPool.Start();
        s_workers = (RandomCalls*)Memory.TakePage();
        s_workers[0].Start(seed * 2);
        s_workers[1].Start((seed * 2) + 1);
        bool hasSecond = SecondVcpu.TryStart();
        Report.Note(hasSecond ? "two vcpus, seed"u8 : "one vcpu, seed"u8, seed);
        if (hasSecond)
        {
            SecondVcpu.BeginRoutine(&OnSecond);
        }

        ulong told = 0;
        while (Done < s_calls)
        {
            Step(ref s_workers[0]);
            Write(ref s_workers[0]);
            if (Done - told >= s_calls / 4)
            {
                told += s_calls / 4;
                Report.Note("calls so far"u8, told);
            }
        }

        if (hasSecond)
        {
            SecondVcpu.End();
        }

        Report.Note("calls that were carried out"u8, s_workers[0].Successes + s_workers[1].Successes);
        Report.Check(s_workers[0].Successes > s_calls / 50, "some calls were carried out"u8);
        Neighbour.Finish();
    }

    private static ulong OnSecond(uint* stop)
    {
        while (Volatile.Read(ref *stop) == 0)
        {
            Step(ref s_workers[1]);
        }

        return 0;
    }

    /// <summary>One call, or a list of some.</summary>
    private static void Step(ref RandomCalls worker)
    {
        worker.Begin();
        if (!worker.OneIn(12))
        {
            MulticallEntry call = default;
            worker.Make(ref call);
            long result = Xen.Call((HypercallNumber)call.Operation, call.Argument0, call.Argument1, call.Argument2, call.Argument3, call.Argument4);
            worker.Note(result);
            worker.Calls++;
            return;
        }

        int count = 1 + (int)worker.Below(ListEntries);
        MulticallEntry* list = (MulticallEntry*)worker.Space(count * sizeof(MulticallEntry));
        for (int i = 0; i < count; i++)
        {
            worker.Make(ref list[i]);
        }

        worker.Note(Xen.Call(HypercallNumber.Multicall, (ulong)list, (ulong)count));
        worker.Calls += (ulong)count;
    }

    /// <summary>A plain write to one of the pages or a window, which may be a table by now, gone, or another's.</summary>
    private static void Write(ref RandomCalls worker)
    {
        if (worker.OneIn(4))
        {
            ProbeRegisters registers = new() { Rcx = worker.Address() | (worker.Below(512) * 8), Rax = worker.Entry() };
            Traps.Try([0x48, 0x89, 0x01], ref registers);
        }
    }
}
