// Who may use this assembly: it has no public surface.
using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Xenolith.Hypervisor")]
[assembly: InternalsVisibleTo("Xenolith.Toolstack")]
[assembly: InternalsVisibleTo("UnitTests")]
[assembly: InternalsVisibleTo("ToolstackTests")]
