"""What `RtspServer.events()` reports to its shell, and the values that go back."""

from dataclasses import dataclass


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
class PlayedTrack:
    """One track of a session that begins to play, with its interleaved channels."""

    track: ServedTrack
    rtp_channel: int
    rtcp_channel: int


@dataclass(frozen=True, slots=True)
class TrackStart:
    """Sequence number and RTP timestamp of the first packet of a track (RTP-Info, RFC 2326 section 12.33)."""

    control: str
    sequence: int
    rtp_time: int


@dataclass(frozen=True, slots=True)
class DescriptionWanted:
    """What is at `path` (no slash at its ends)? Answer with `describe` or `refuse`; the next request waits for it."""

    path: str


@dataclass(frozen=True, slots=True)
class PlayRequested:
    """Start these tracks of `path`: answer with `accept_play`, then `send_packets`; or with `refuse`."""

    path: str
    tracks: tuple[PlayedTrack, ...]


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """Nothing more comes or goes: flush what there is to send and close.

    reason: why, in words for a log.
    is_fault: the client broke a rule; False where it just left.
    """

    reason: str
    is_fault: bool = False


ServerEvent = DescriptionWanted | PlayRequested | ConnectionEnded
