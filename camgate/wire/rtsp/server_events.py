"""What `RtspServer.events()` reports to its shell, and the values that go back."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServedTrack:
    """One track of a presentation, as this connection's client sees it.

    control: the last segment of its URL, such as `track0`; unique in its presentation, without a slash.
    ssrc: of the RTP packets that will be sent.
    """

    control: str
    ssrc: int


@dataclass(frozen=True, slots=True)
class Description:
    """The answer to `DescriptionWanted`: an SDP whose media sections have the tracks' `a=control`, relative."""

    sdp: str
    tracks: tuple[ServedTrack, ...]


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Media goes through the RTSP connection itself, under these channel numbers (RFC 2326 section 10.12)."""

    rtp_channel: int
    rtcp_channel: int


@dataclass(frozen=True, slots=True)
class Datagrams:
    """Media goes by UDP to these ports of the client, at the address that the RTSP connection comes from."""

    rtp_port: int
    rtcp_port: int


@dataclass(frozen=True, slots=True)
class PlayedTrack:
    """One track of a session that begins to play, and how it goes to the client."""

    track: ServedTrack
    way: Interleaved | Datagrams


@dataclass(frozen=True, slots=True)
class TrackStart:
    """Sequence number and RTP timestamp of the first packet of a track (RTP-Info, RFC 2326 section 12.33)."""

    control: str
    sequence: int
    rtp_time: int


@dataclass(frozen=True, slots=True)
class DescriptionWanted:
    """What is at `path` (no slash at its ends)? Answer with `describe` or `refuse`; the next request waits for it.

    query: what stands behind the `?` of the URL, as it was sent; empty where there is none.
    """

    path: str
    query: str = ""


@dataclass(frozen=True, slots=True)
class PlayRequested:
    """Start these tracks of `path`: answer with `accept_play`, then `send_packets`; or with `refuse`."""

    path: str
    tracks: tuple[PlayedTrack, ...]


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """A user name or password was wrong: answer with `refuse_login`, after a pause that makes guessing slow.

    path: what was asked for. username, password: as they came in clear, so under TLS only; where somebody else knows
    them to be right for this path, answer with `accept_login`. None where they did not come so.
    """

    path: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """Nothing more comes or goes: flush what there is to send and close.

    reason: why, in words for a log.
    is_fault: the client broke a rule; False where it just left.
    """

    reason: str
    is_fault: bool = False


ServerEvent = DescriptionWanted | PlayRequested | LoginRefused | ConnectionEnded
