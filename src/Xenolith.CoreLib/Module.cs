// Module-wide settings of the core library.
[module: System.Runtime.CompilerServices.SkipLocalsInit]
