// Errors travel as the names of the public header.

using Xenolith.Toolstack.Xenstore;

namespace ToolstackTests.Xenstore;

public class ErrorNameTests
{
    [Fact]
    public void EveryNameSurvivesTheWire()
    {
        foreach (XenstoreError error in Enum.GetValues<XenstoreError>())
        {
            Assert.Equal(error, XenstoreErrorNames.FromWire(XenstoreErrorNames.ToWire(error)));
        }
    }

    [Fact]
    public void TheTerminatingNulIsNoPartOfTheName() => Assert.Equal(XenstoreError.EAGAIN, XenstoreErrorNames.FromWire("EAGAIN\0"u8));

    [Fact]
    public void AnUnknownNameIsAnInvalidRequest() => Assert.Equal(XenstoreError.EINVAL, XenstoreErrorNames.FromWire("ESTALE"u8));
}
