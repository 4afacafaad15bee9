// Module-wide settings.
[module: System.Runtime.CompilerServices.SkipLocalsInit]
