"""What `RtspClient.events()` reports to its shell."""

from dataclasses import dataclass

from camgate.wire.rtsp.headers import Transport
from camgate.wire.rtsp.track import Track


@dataclass(frozen=True, slots=True)
class Described:
    """The camera has described itself; answer with `RtspClient.play(tracks)`.

    sdp: the session description as received. Some cameras repeat credentials in it: never log it.
    tracks: every media of it, usable or not, in its order.
    base_url: what PLAY, keepalive and TEARDOWN will name. Show it only through `url.redact`, as `Track.control`.
    server: the camera's Server header, fit to be shown; empty where absent.
    """

    sdp: str
    tracks: tuple[Track, ...]
    base_url: str
    server: str = ""


@dataclass(frozen=True, slots=True)
class UdpSetUp:
    """The camera will send a track over UDP: `transport` says from where, as far as it knows itself.

    index: position among the tracks of `RtspClient.play`.
    """

    index: int
    transport: Transport


@dataclass(frozen=True, slots=True)
class Playing:
    """PLAY was accepted. `tracks` are the ones set up, with their channels: interleaved, or 0-1, 2-3 … for UDP."""

    tracks: tuple[Track, ...]
    session_timeout_s: float


@dataclass(frozen=True, slots=True)
class Redirected:
    """The camera wants us elsewhere: hang up and dial `url` (no credentials in it; cap the number of hops)."""

    url: str


@dataclass(frozen=True, slots=True)
class ServerClosed:
    """The camera ended the connection or the session.

    waiting_for: method of the request that was never answered, None where nothing was outstanding.
    """

    waiting_for: str | None = None

    def __str__(self) -> str:
        where = f" instead of answering {self.waiting_for}" if self.waiting_for else ""
        return f"the camera closed the connection{where}"


Event = Described | UdpSetUp | Playing | Redirected | ServerClosed
