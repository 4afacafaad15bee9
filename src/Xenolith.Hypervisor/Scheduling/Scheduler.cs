// Which vcpu runs where.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>
/// Proportional share by virtual time, which passes for a vcpu the slower the greater its weight. A processor that needs work takes
/// the vcpu of the queue that has had the least of those that may use it; there is one queue for all, so none idles while a vcpu waits
/// that it may run. A vcpu that wakes starts no further back than a bonus behind the others, so that it is served soon and yet
/// cannot save time up. See docs/decisions/0015-one-run-queue.md.
/// </summary>
internal static class Scheduler
{
    internal const ulong SliceNanoseconds = 10_000_000;
    internal const ulong WakeBonusNanoseconds = 5_000_000;

    /// <summary>A vcpu that has just been given a processor keeps it for that long; 0 = no such rule.</summary>
    internal static ulong RateLimitNanoseconds { get; set; } = SchedulerParameters.DefaultRateLimit * 1000;

    /// <summary>Begins with no vcpus.</summary>
    internal static void Initialize()
    {
        RunQueue.Clear();
        Placement.Clear();
    }

    /// <summary>Takes charge of a vcpu that is not up yet.</summary>
    internal static void Add(ref Vcpu vcpu)
    {
        ref DomainSchedule domain = ref vcpu.Domain.Schedule;
        vcpu.Schedule = VcpuSchedule.New(domain.Weight, domain.Cap != 0);
    }

    /// <summary>
    /// Forgets a vcpu whose domain is destroyed; its slot may then be used again. It must be paused and <see cref="TryStop"/> must
    /// have said that it does not run.
    /// </summary>
    internal static void Remove(ref Vcpu vcpu)
    {
        Fatal.Assert(vcpu.Schedule.PauseCount > 0 && vcpu.Schedule.RunsOn < 0, "a vcpu is removed that may run"u8);
        Dequeue(ref vcpu);
        Unload(ref vcpu);
        Timers.Remove(ref vcpu);
        vcpu.Schedule.IsUp = false;
    }

    /// <summary>An event came for the vcpu, or its poll is over: it stops waiting.</summary>
    internal static void Wake(ref Vcpu vcpu)
    {
        if (!vcpu.Schedule.IsBlocked)
        {
            Kick(ref vcpu);
            return;
        }

        vcpu.Schedule.IsBlocked = false;
        vcpu.Events.IsPolling = false;
        if (vcpu.Time.PollTimeout != 0)
        {
            vcpu.Time.PollTimeout = 0;
            Timers.Update(ref vcpu);
        }

        BecomeRunnable(ref vcpu);
    }

    /// <summary>The vcpu has nothing to do until an event comes; it goes on at the next return to guests.</summary>
    internal static void Block(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsBlocked = true;
        Withdraw(ref vcpu);
    }

    /// <summary>The running vcpu lets another go first that waits for its processor.</summary>
    internal static void Yield(ref Vcpu vcpu)
    {
        int first = RunQueue.First(1UL << Cpu.Index);
        if (first < 0)
        {
            return;
        }

        Account(ref vcpu, SystemTime.Now());
        vcpu.Schedule.VirtualTime = Math.Max(vcpu.Schedule.VirtualTime, VcpuTable.At(first).Schedule.VirtualTime + 1);
        vcpu.Schedule.GivesWay = true;
        vcpu.Context.Work |= VcpuWork.Reschedule;
    }

    internal static void Up(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsUp = true;
        BecomeRunnable(ref vcpu);
    }

    internal static void Down(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsUp = false;
        Withdraw(ref vcpu);
    }

    /// <summary>
    /// Keeps the vcpu from running until <see cref="Unpause"/> has been called as often. A processor that runs it is told, and lets it
    /// go at its next return to guests: see <see cref="TryStop"/>.
    /// </summary>
    internal static void Pause(ref Vcpu vcpu)
    {
        vcpu.Schedule.PauseCount++;
        Withdraw(ref vcpu);
    }

    /// <summary>Takes one <see cref="Pause"/> back.</summary>
    internal static void Unpause(ref Vcpu vcpu)
    {
        Fatal.Assert(vcpu.Schedule.PauseCount > 0, "a vcpu is unpaused that is not paused"u8);
        vcpu.Schedule.PauseCount--;
        BecomeRunnable(ref vcpu);
    }

    /// <summary>
    /// Whether a paused vcpu is off its processor; all of its state is then in memory, and stays as it is while it is paused. False:
    /// its processor is on the way into the hypervisor and needs the core's lock for it, so the caller has to return a continuation
    /// and ask again. Never for the vcpu that calls.
    /// </summary>
    internal static bool TryStop(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.RunsOn >= 0)
        {
            return false;
        }

        Unload(ref vcpu);
        return true;
    }

    /// <summary>
    /// Has the processor that has the vcpu loaded, whichever it is, store the state that is in its registers. A vcpu that runs goes
    /// on with it afterwards; what is in memory is its state at its last entry to the hypervisor.
    /// </summary>
    internal static void Store(ref Vcpu vcpu)
    {
        int holder = vcpu.Schedule.LoadedOn;
        if (holder == Cpu.Index)
        {
            ContextSwitch.Store(ref vcpu);
        }
        else if (holder >= 0)
        {
            RemoteRequests.Post(ref ProcessorTable.At(holder), RemoteRequests.Store);
            RemoteRequests.Await(ref ProcessorTable.At(holder));
        }
    }

    /// <summary>Has the vcpu's processor look at what waits for it, if another than this one runs it.</summary>
    internal static void Kick(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.RunsOn >= 0)
        {
            Placement.Interrupt(vcpu.Schedule.RunsOn);
        }
    }

    /// <summary>Gives the vcpu another weight; says whether its domain has a cap.</summary>
    internal static void SetShare(ref Vcpu vcpu, uint weight, bool isCapped)
    {
        Account(ref vcpu, SystemTime.Now());
        vcpu.Schedule.Weight = weight;
        vcpu.Schedule.IsCapped = isCapped;
        if (vcpu.Schedule.RunsOn >= 0)
        {
            Placement.Reschedule(vcpu.Schedule.RunsOn);
        }
    }

    /// <summary>Gives the vcpu other processors: those that it may use, and those of them on which it had better run.</summary>
    internal static void SetAffinity(ref Vcpu vcpu, ulong hard, ulong soft)
    {
        bool waits = vcpu.Schedule.Node.IsLinked;
        Dequeue(ref vcpu);
        vcpu.Schedule.HardAffinity = hard;
        vcpu.Schedule.SoftAffinity = soft;
        Reconsider(ref vcpu, waits);
    }

    /// <summary>Keeps the vcpu on one of the processors that it may use, or lets it go again.</summary>
    internal static void SetPin(ref Vcpu vcpu, bool isPinned, int processor)
    {
        bool waits = vcpu.Schedule.Node.IsLinked;
        Dequeue(ref vcpu);
        vcpu.Schedule.IsPinned = isPinned;
        vcpu.Schedule.PinnedTo = processor;
        Reconsider(ref vcpu, waits);
    }

    /// <summary>A vcpu that is in no queue goes on by its new rules.</summary>
    private static void Reconsider(ref Vcpu vcpu, bool waits)
    {
        vcpu.Schedule.SettleAffinity();
        if (waits)
        {
            Placement.Enter(ref vcpu, SystemTime.Now());
        }
        else if (vcpu.Schedule.RunsOn >= 0)
        {
            Placement.Reschedule(vcpu.Schedule.RunsOn);
        }
    }

    /// <summary>The vcpu's domain has used its budget up.</summary>
    internal static void Park(ref Vcpu vcpu)
    {
        Dequeue(ref vcpu);
        if (vcpu.Schedule.RunsOn >= 0)
        {
            Placement.Reschedule(vcpu.Schedule.RunsOn);
        }
    }

    /// <summary>The vcpu's domain has a budget again.</summary>
    internal static void Resume(ref Vcpu vcpu, ulong now)
    {
        if (vcpu.Schedule.IsRunnable && vcpu.Schedule.RunsOn < 0 && !vcpu.Schedule.Node.IsLinked)
        {
            Placement.Enter(ref vcpu, now);
        }
    }

    /// <summary>This processor's slice is over.</summary>
    internal static void EndSlice()
    {
        int current = ProcessorTable.Current.CurrentVcpu;
        if (current >= 0 && VcpuTable.At(current).Schedule.RunsOn >= 0)
        {
            VcpuTable.At(current).Schedule.GivesWay = true;
            VcpuTable.Context(current).Work |= VcpuWork.Reschedule;
        }
    }

    /// <summary>The vcpu to run next on this processor, loaded; waits while there is none. -1: this processor ran none before.</summary>
    internal static int Choose(int current)
    {
        if (current >= 0)
        {
            ref VcpuContext context = ref VcpuTable.Context(current);
            if ((context.Work & (VcpuWork.Reschedule | VcpuWork.Stop)) == 0)
            {
                return current;
            }

            context.Work &= ~VcpuWork.Reschedule;
        }

        int next;
        while ((next = Decide(current)) < 0)
        {
            current = -1;
            Memory.TlbClock.Settle();
            HypervisorLock.Exit();
            Cpu.HaltWithInterrupts();
            HypervisorLock.Enter();
        }

        return next;
    }

    /// <summary>
    /// The vcpu to run next on this processor, loaded; -1 when there is none, and the processor then counts as idle. The last vcpu's
    /// state stays loaded: most often it is the next one too.
    /// </summary>
    internal static int Decide(int current)
    {
        ref Processor processor = ref ProcessorTable.Current;
        ulong self = 1UL << Cpu.Index;
        ulong now = SystemTime.Now();
        if (current >= 0)
        {
            ref Vcpu vcpu = ref VcpuTable.At(current);
            Account(ref vcpu, now);
            if (MayGoOn(ref vcpu, self, now))
            {
                vcpu.Schedule.GivesWay = false;
                SetSlice(ref processor, ref vcpu, self, now);
                return current;
            }

            Leave(ref vcpu, now);
        }

        int next = RunQueue.First(self);
        if (next < 0)
        {
            BeginIdle(ref processor, now);
            return -1;
        }

        ref Vcpu chosen = ref VcpuTable.At(next);
        RunQueue.Remove(ref chosen);
        LimitLag(ref chosen.Schedule, RunQueue.First(self));
        if (processor.IsIdle)
        {
            EndIdle(ref processor, now);
        }

        int sentFor = processor.SentFor - 1;
        processor.SentFor = 0;
        if (sentFor >= 0 && sentFor != next)
        {
            Placement.SendOn(ref VcpuTable.At(sentFor));
        }

        Load(ref processor, ref chosen, now);
        SetSlice(ref processor, ref chosen, self, now);
        return next;
    }

    private static void BeginIdle(ref Processor processor, ulong now)
    {
        processor.SliceEnd = 0;
        Placement.BeginIdle(Cpu.Index);
        if (!processor.IsIdle)
        {
            processor.IsIdle = true;
            processor.IdleSince = now;
        }
    }

    private static void EndIdle(ref Processor processor, ulong now)
    {
        processor.IsIdle = false;
        processor.IdleTime += now - processor.IdleSince;
        Placement.EndIdle(Cpu.Index);
    }

    /// <summary>Whether the vcpu that runs on this processor keeps it.</summary>
    private static bool MayGoOn(ref Vcpu vcpu, ulong self, ulong now)
    {
        ref VcpuSchedule schedule = ref vcpu.Schedule;
        if (!schedule.IsRunnable || (schedule.Allowed & self) == 0 || IsParked(ref vcpu))
        {
            return false;
        }

        int first = RunQueue.First(self);
        if (first < 0)
        {
            return true;
        }

        ulong least = VcpuTable.At(first).Schedule.VirtualTime;
        bool goesOn = schedule.GivesWay
            ? schedule.VirtualTime < least
            : schedule.VirtualTime <= least + Placement.GranularityNanoseconds || now - schedule.StartedAt < RateLimitNanoseconds;
        if (goesOn)
        {
            LimitLag(ref schedule, first);
        }

        return goesOn;
    }

    /// <summary>
    /// Who goes first is not further behind the next than that one's own doing can explain: while they shared no processor, neither
    /// gained a claim on the other.
    /// </summary>
    private static void LimitLag(ref VcpuSchedule schedule, int next)
    {
        if (next >= 0)
        {
            ref VcpuSchedule other = ref VcpuTable.At(next).Schedule;
            ulong lead = other.LargestLead;
            if (other.VirtualTime > lead)
            {
                schedule.VirtualTime = Math.Max(schedule.VirtualTime, other.VirtualTime - lead);
            }
        }
    }

    private static void Leave(ref Vcpu vcpu, ulong now)
    {
        vcpu.Schedule.RunsOn = -1;
        SetWaitingState(ref vcpu, now);
        if (vcpu.Schedule.IsRunnable && !IsParked(ref vcpu))
        {
            Placement.Return(ref vcpu, now);
        }
    }

    /// <summary>The run state of a vcpu that has no processor.</summary>
    private static void SetWaitingState(ref Vcpu vcpu, ulong now)
    {
        ref VcpuSchedule schedule = ref vcpu.Schedule;
        int state = schedule.IsRunnable ? RunState.Runnable : schedule.IsUp && schedule.IsBlocked ? RunState.Blocked : RunState.Offline;
        if (vcpu.Time.RunState != state)
        {
            RunState.Change(ref vcpu, state, now);
        }
    }

    private static void Load(ref Processor processor, ref Vcpu vcpu, ulong now)
    {
        if (processor.CurrentVcpu != vcpu.Index)
        {
            Unload(ref vcpu);
            if (processor.CurrentVcpu >= 0)
            {
                ref Vcpu last = ref VcpuTable.At(processor.CurrentVcpu);
                ContextSwitch.Save(ref last);
                last.Schedule.LoadedOn = -1;
            }

            vcpu.Schedule.LoadedOn = Cpu.Index;
            ContextSwitch.Load(ref vcpu);
            Timers.Follow(ref vcpu);
        }

        vcpu.Schedule.RunsOn = Cpu.Index;
        vcpu.Schedule.StartedAt = now;
        vcpu.Schedule.AccountedAt = now;
        vcpu.Schedule.GivesWay = false;
        processor.SliceEnd = 0;
        RunState.Change(ref vcpu, RunState.Running, now);
        RunState.Publish(ref vcpu);
    }

    /// <summary>Nobody is interrupted who has a processor to himself, unless his budget ends.</summary>
    private static void SetSlice(ref Processor processor, ref Vcpu vcpu, ulong self, ulong now)
    {
        ulong end = 0;
        bool isWanted = RunQueue.HasWork(self);
        Placement.NoteSlice(Cpu.Index, isWanted);
        if (isWanted)
        {
            end = processor.SliceEnd > now ? processor.SliceEnd : now + SliceNanoseconds;
            ulong protectedUntil = vcpu.Schedule.StartedAt + RateLimitNanoseconds;
            int first = RunQueue.First(self);
            if (protectedUntil > now && VcpuTable.At(first).Schedule.VirtualTime + Placement.GranularityNanoseconds < vcpu.Schedule.VirtualTime)
            {
                end = Math.Min(end, protectedUntil);
            }
        }

        if (vcpu.Schedule.IsCapped)
        {
            ulong budget = now + DomainBudget.Slice(ref vcpu.Domain);
            end = end == 0 ? budget : Math.Min(end, budget);
        }

        processor.SliceEnd = end;
        if (end != 0)
        {
            Timers.Program(end);
        }
    }

    /// <summary>Has the processor that still holds the vcpu's state store it.</summary>
    private static void Unload(ref Vcpu vcpu)
    {
        int holder = vcpu.Schedule.LoadedOn;
        if (holder < 0)
        {
            return;
        }

        ref Processor processor = ref ProcessorTable.At(holder);
        if (holder == Cpu.Index)
        {
            ContextSwitch.Unload(ref processor);
        }
        else
        {
            RemoteRequests.Post(ref processor, RemoteRequests.Unload);
            RemoteRequests.Await(ref processor);
        }

        vcpu.Schedule.LoadedOn = -1;
    }

    private static void BecomeRunnable(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.RunsOn >= 0 || vcpu.Schedule.Node.IsLinked)
        {
            return;
        }

        ulong now = SystemTime.Now();
        SetWaitingState(ref vcpu, now);
        if (vcpu.Schedule.IsRunnable && !IsParked(ref vcpu))
        {
            Placement.Enter(ref vcpu, now);
        }
    }

    /// <summary>The vcpu does not want to run any more, or may not.</summary>
    private static void Withdraw(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.RunsOn >= 0)
        {
            vcpu.Context.Work |= VcpuWork.Reschedule;
            Kick(ref vcpu);
            return;
        }

        Dequeue(ref vcpu);
        SetWaitingState(ref vcpu, SystemTime.Now());
    }

    private static void Dequeue(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.Node.IsLinked)
        {
            RunQueue.Remove(ref vcpu);
        }
    }

    private static bool IsParked(ref Vcpu vcpu) => vcpu.Schedule.IsCapped && vcpu.Domain.Schedule.IsParked;

    /// <summary>Charges a running vcpu for the time since its account was last settled.</summary>
    private static void Account(ref Vcpu vcpu, ulong now)
    {
        ref VcpuSchedule schedule = ref vcpu.Schedule;
        if (schedule.RunsOn < 0)
        {
            return;
        }

        ulong spent = now - schedule.AccountedAt;
        schedule.VirtualTime += schedule.Scale(spent);
        schedule.AccountedAt = now;
        if (schedule.IsCapped)
        {
            DomainBudget.Charge(ref vcpu.Domain, spent, now);
        }
    }
}
