// Twin of Cpu/SecondaryProcessor.cs: the fake machine's further processors never answer.
namespace Xenolith.Machine;

/// <summary>Nothing starts; what was sent goes to the fake local APIC's registers.</summary>
public static class SecondaryProcessor
{
    public static int Arrived => 0;

    public static void PlacePage(Mfn page, Mfn saved) => PhysicalMemory.Copy(saved, page);

    public static void RestorePage(Mfn page, Mfn saved) => PhysicalMemory.Copy(page, saved);

    public static void SendInit(uint apicId, Mfn block) => LocalApic.SendInit(apicId);

    public static void SendStartup(uint apicId, Mfn page) => LocalApic.SendStartup(apicId, (byte)page.Value);

    public static void Initialize(byte spuriousVector, byte errorVector) => LocalApic.InitializeSecondary(spuriousVector, errorVector);

    public static void Arrive()
    {
    }
}
