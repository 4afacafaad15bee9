// Settings of the whole test assembly.

// The hypervisor and the fake machine keep their state in statics: one machine, one test at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
