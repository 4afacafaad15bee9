// What one CPUID leaf answers.
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>The four registers that CPUID writes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CpuIdResult
{
    public uint Eax;
    public uint Ebx;
    public uint Ecx;
    public uint Edx;
}
