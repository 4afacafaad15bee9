// How far the two ends of a device have come.
namespace Xenolith.Toolstack.Devices;

/// <summary>The value of an end's <c>state</c> node (public io/xenbus.h).</summary>
public enum XenbusState
{
    /// <summary>There is no such node.</summary>
    Unknown = 0,

    /// <summary>Written by the toolstack.</summary>
    Initialising = 1,

    /// <summary>The back end waits for the front end, or for the toolstack.</summary>
    InitWait = 2,

    /// <summary>The front end has written its ring and its channel.</summary>
    Initialised = 3,

    /// <summary>Data flows.</summary>
    Connected = 4,

    /// <summary>An end wants to stop.</summary>
    Closing = 5,

    /// <summary>An end has stopped.</summary>
    Closed = 6,

    /// <summary>Something is changed while the device is in use.</summary>
    Reconfiguring = 7,

    /// <summary>That is done.</summary>
    Reconfigured = 8,
}
