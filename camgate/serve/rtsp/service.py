"""What an RTSP server serves, to whom, and who is there: shared by all its connections."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from weakref import WeakKeyDictionary

from camgate.auth.identity import Identity
from camgate.auth.leases import Leases
from camgate.relay.audio import AudioStream
from camgate.relay.errors import UnknownCamera
from camgate.relay.registry import Registry
from camgate.relay.source import Source
from camgate.relay.stream import Stream
from camgate.serve.rtsp.description import StreamTrack
from camgate.serve.rtsp.guests import Guests
from camgate.serve.rtsp.layout import LayoutCache
from camgate.serve.rtsp.strangers import GuessingBrake
from camgate.wire.rtsp.server import Access, open_to_all

MAX_CLIENTS = 200
"""Clients at a time. A player takes one connection a stream, and each may hold two seconds of video."""


MAX_CONNECTIONS_PER_S = 200.0
"""Whoever floods us with connections must not take the time from media: one costs about 0.3 ms. A recorder that dials
its cameras after a restart has them all within a second."""


SUB_PATH = "sub"
"""Behind a camera's name and a slash: its sub-stream, where it has one."""


AdmitLogin: TypeAlias = Callable[[str, str, str, str], Awaitable[Identity | None]]


def admit_all() -> None:
    """The `admit` of a server that nothing else runs beside."""


class Layouts:
    """Where the layouts of each stream are, as long as the stream is there."""

    def __init__(self) -> None:
        self._by_stream: WeakKeyDictionary[Stream | AudioStream, tuple[str, LayoutCache]] = WeakKeyDictionary()

    def of(self, track: StreamTrack) -> LayoutCache:
        """Return the layouts of a track; another codec begins anew."""
        codec, cache = self._by_stream.get(track.stream, ("", None))
        if cache is None or codec != track.codec:
            cache = LayoutCache(track.packetize, track.payload_type, is_marked=track.is_marked)
            self._by_stream[track.stream] = (track.codec, cache)
        return cache


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspService:
    """One RTSP server's cameras, rules and guests.

    tls: what connections are encrypted by (RTSPS); None for plain RTSP.
    max_connections_per_s: faster ones wait in the kernel; so many at once do not wait.
    admit_login: asked, under TLS, who somebody is whose login is none of the RTSP users': with the name, the
    password, the client's address and the camera. None where nobody else is let in. leases: end who may play no more.
    admit: asked before a client plays; raises a ViewerError where this machine cannot carry one more.
    """

    registry: Registry
    access: Access = open_to_all
    admit_login: AdmitLogin | None = None
    leases: Leases = field(default_factory=Leases)
    admit: Callable[[], None] = admit_all
    tls: ssl.SSLContext | None = None
    max_connections_per_s: float = MAX_CONNECTIONS_PER_S
    guests: Guests = field(default_factory=lambda: Guests(max_clients=MAX_CLIENTS, max_clients_per_address=MAX_CLIENTS))
    layouts: Layouts = field(default_factory=Layouts)
    brake: GuessingBrake = field(default_factory=GuessingBrake)

    def find(self, path: str) -> Source:
        """Return the camera at `NAME`, or its sub-stream at `NAME/sub`. Raises UnknownCamera."""
        name, _, rest = path.partition("/")
        source = self.registry.get(name)
        if rest == SUB_PATH and source.sub is not None:
            return source.sub
        if rest:
            raise UnknownCamera(path)
        return source
