"""`RtspClient`: one RTSP connection in the client role (RFC 2326), media interleaved in its TCP stream.

Sans-IO: the shell in `camgate.ingest` owns the socket and the clock. Its loop: feed what was read, send
`data_to_send()`, look at `events()`, take the packets, wait until data or `next_deadline()`.
Every method that takes peer bytes or the time may raise RtspRemoteError; the client is then good for `teardown` only.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from camgate.wire.rtsp.events import Event
from camgate.wire.rtsp.policies import ClientPolicies
from camgate.wire.rtsp.track import Track


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspClientStatistics:
    """A snapshot of one connection's counters."""

    state: str
    bytes_received: int
    packets_received: int
    unknown_channel_packets: int
    resyncs: int
    garbage_bytes: int
    requests_sent: int
    responses_received: int
    unmatched_responses: int
    server_requests: int
    keepalives_sent: int
    keepalives_answered: int
    reauthentications: int


def _random_cnonce() -> str:
    return secrets.token_hex(16)


class RtspClient:
    """One RTSP connection, client role.

    url: as configured; may hold credentials, which `username` and `password` override.
    make_cnonce: where Digest takes its client nonces from.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        policies: ClientPolicies | None = None,
        make_cnonce: Callable[[], str] = _random_cnonce,
    ) -> None:
        raise NotImplementedError

    def start(self, now: float) -> None:
        """Queue the first request (OPTIONS); DESCRIBE follows by itself."""
        raise NotImplementedError

    def receive_data(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take bytes that the camera sent. `data` is copied: its buffer may be reused at once."""
        raise NotImplementedError

    def receive_eof(self) -> None:
        """The camera closed its side: reported as `ServerClosed`."""
        raise NotImplementedError

    def data_to_send(self) -> bytes:
        """Drain the bytes that are to be sent."""
        raise NotImplementedError

    def events(self) -> list[Event]:
        """Drain the events, in order."""
        raise NotImplementedError

    def play(self, tracks: Sequence[Track], now: float) -> None:
        """After `Described`: SETUP each of `tracks`, then PLAY; `Playing` reports success."""
        raise NotImplementedError

    def take_packets(self) -> list[tuple[int, bytes]]:
        """Drain the media packets: (interleaved channel, packet), in order of arrival, channels of `play` only."""
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is due: a request unanswered, or a keepalive to send."""
        raise NotImplementedError

    def handle_deadline(self, now: float) -> None:
        """Send a keepalive, or raise ResponseTimeout."""
        raise NotImplementedError

    def teardown(self, now: float) -> None:
        """Queue TEARDOWN if there is a session. Send what `data_to_send` gives and close: the answer is not awaited."""
        raise NotImplementedError

    def statistics(self) -> RtspClientStatistics:
        """Snapshot of the counters."""
        raise NotImplementedError
