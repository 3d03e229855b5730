"""Who is connected: places for clients who play, and few for those who only might. Runs no task.

A connection begins as a stranger's. When there are too many strangers, one is cut off: the oldest of whatever address
has the most. A client needs milliseconds from its first byte to PLAY, so that neither idle connections nor slow ones
can keep others out. Playing takes one of `max_clients` places, of which one address may have a part.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from camgate.base.log import get_logger
from camgate.serve.rtsp.errors import TooManyClients

MAX_STRANGERS = 256
"""Connections that do not play yet: more cameras than a recorder dials at once after a restart."""

log = get_logger("serve.rtsp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatistics:
    """One RTSP client that plays."""

    id: str
    """What it is called in lists; nothing that would let one into its session."""
    camera: str
    address: str
    """Host and port of its connection."""
    user: str | None
    transport: str
    """`tcp` or `udp`."""
    since_s: float
    """How long it has been playing."""
    packets_sent: int
    bytes_sent: int
    dropped_frames: int
    """Lost since it did not take them in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStatistics:
    """All connections to the RTSP server."""

    clients: int
    """Who play."""
    strangers: int
    """Connections that do not play (yet)."""
    accepted: int
    """Connections since the start."""
    cut_off: int
    """Strangers who had to go for others."""
    refused: int
    """Clients for whom there was no place."""
    failed_logins: int
    bytes_sent: int
    dropped_frames: int


@dataclass(eq=False, slots=True)
class Guest:
    """One connection. network: what counts as one address. place: host and port, for logs. scope: what ends it.

    id: given by `Guests`.
    """

    network: str
    place: str
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    id: str = ""
    host: str = ""
    camera: str | None = None
    """What it plays; None for a stranger."""
    user: str | None = None
    transport: str = ""
    playing_since_s: float = 0.0
    packets_sent: int = 0
    bytes_sent: int = 0
    dropped_frames: int = 0

    def statistics(self, now: float) -> ClientStatistics:
        assert self.camera is not None
        return ClientStatistics(
            id=self.id,
            camera=self.camera,
            address=self.place,
            user=self.user,
            transport=self.transport,
            since_s=now - self.playing_since_s,
            packets_sent=self.packets_sent,
            bytes_sent=self.bytes_sent,
            dropped_frames=self.dropped_frames,
        )


class Guests:
    """All connections, by what they may still cost."""

    def __init__(self, *, max_clients: int, max_clients_per_address: int, max_strangers: int = MAX_STRANGERS) -> None:
        self._max_clients = max_clients
        self._max_clients_per_address = max_clients_per_address
        self._max_strangers = max_strangers
        self._strangers: dict[Guest, None] = {}
        self._clients: dict[Guest, None] = {}
        self._accepted = self._cut_off = self._refused = 0
        self._past_bytes = self._past_dropped = 0
        self.failed_logins = 0

    def apply(self, *, max_clients: int, max_clients_per_address: int) -> None:
        """Take other limits; who plays goes on playing."""
        self._max_clients = max_clients
        self._max_clients_per_address = max_clients_per_address

    def cut_off(self, is_gone: Callable[[str | None], bool]) -> int:
        """End the connections of clients whose user is gone; returns how many that were."""
        gone = [guest for guest in self._clients if is_gone(guest.user)]
        for guest in gone:
            log.info("RTSP client cut off: it may play no more", address=guest.place, camera=guest.camera)
            guest.scope.cancel()
        return len(gone)

    def end(self, camera: str, client_id: str) -> bool:
        """End the connection of a client that plays a camera; False when there is no such client."""
        guest = next((guest for guest in self._clients if guest.camera == camera and guest.id == client_id), None)
        if guest is not None:
            guest.scope.cancel()
        return guest is not None

    @contextmanager
    def enter(self, guest: Guest) -> Iterator[None]:
        """Know a connection for the time of the block."""
        self._accepted += 1
        guest.id = f"rtsp-{self._accepted}"
        self._strangers[guest] = None
        if len(self._strangers) > self._max_strangers:
            self._cut_off_one()
        try:
            yield
        finally:
            self._strangers.pop(guest, None)
            self._clients.pop(guest, None)
            self._past_bytes += guest.bytes_sent
            self._past_dropped += guest.dropped_frames

    def play(self, guest: Guest, camera: str) -> None:
        """Give a stranger a client's place. Raises TooManyClients where there is none."""
        per_address = sum(client.network == guest.network for client in self._clients)
        if len(self._clients) >= self._max_clients:
            self._refused += 1
            raise TooManyClients(self._max_clients, "rtsp_server.max_clients")
        if per_address >= self._max_clients_per_address:
            self._refused += 1
            raise TooManyClients(self._max_clients_per_address, "rtsp_server.max_clients_per_address")
        self._strangers.pop(guest, None)
        self._clients[guest] = None
        guest.camera = camera
        guest.playing_since_s = trio.current_time()

    def clients(self) -> list[ClientStatistics]:
        """Describe who plays, the longest playing first."""
        now = trio.current_time()
        return [guest.statistics(now) for guest in self._clients]

    def count_by_camera(self) -> Counter[str]:
        return Counter(guest.camera for guest in self._clients if guest.camera is not None)

    def statistics(self) -> GuestStatistics:
        everybody = [*self._clients, *self._strangers]
        return GuestStatistics(
            clients=len(self._clients),
            strangers=len(self._strangers),
            accepted=self._accepted,
            cut_off=self._cut_off,
            refused=self._refused,
            failed_logins=self.failed_logins,
            bytes_sent=self._past_bytes + sum(guest.bytes_sent for guest in everybody),
            dropped_frames=self._past_dropped + sum(guest.dropped_frames for guest in everybody),
        )

    def _cut_off_one(self) -> None:
        ((network, _),) = Counter(guest.network for guest in self._strangers).most_common(1)
        oldest = next(guest for guest in self._strangers if guest.network == network)
        del self._strangers[oldest]
        oldest.scope.cancel()
        self._cut_off += 1
        log.info("RTSP connection cut off: it plays nothing, and others wait", address=oldest.place)
