// Where the parts of a console ring are.
namespace Xenolith.Abi;

/// <summary>Offsets in struct xencons_interface (public io/console.h). Input goes to the domain, output comes from it; counters run freely.</summary>
public static class ConsoleRingLayout
{
    public const int Input = 0;
    public const int InputBytes = 1024;
    public const int Output = 1024;
    public const int OutputBytes = 2048;
    public const int InputConsumer = 3072;
    public const int InputProducer = 3076;
    public const int OutputConsumer = 3080;
    public const int OutputProducer = 3084;
}
