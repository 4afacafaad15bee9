// What a schedule that ends badly throws.
namespace Xenolith.UnitTests.Interleavings;

/// <summary>Says what was wrong.</summary>
internal sealed class ScheduleException(string problem) : Exception(problem);
