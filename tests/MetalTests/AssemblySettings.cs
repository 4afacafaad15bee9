// Settings of the whole test assembly.

// Each machine keeps one processor of the host busy.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
