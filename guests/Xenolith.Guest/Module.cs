// Module-wide settings of the guests.
[module: System.Runtime.CompilerServices.SkipLocalsInit]
