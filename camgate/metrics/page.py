"""`/metrics`: takes a snapshot of everything and writes it down, in small steps, so that no picture waits for a scrape.

No thread does it: one that computes holds up whoever comes back from a system call, and sending is made of those.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import trio
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from camgate import __version__
from camgate.auth.access import Access
from camgate.base.log_setup import dropped_lines
from camgate.load.watch import LoadWatch
from camgate.metrics.cameras import Camera, camera_families
from camgate.metrics.server import Server, server_families
from camgate.relay.registry import Registry
from camgate.relay.source import Source
from camgate.serve.rtsp.guests import Guests
from camgate.serve.tls import ServerTls
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.peer import Peer
from camgate.serve.webrtc.tally import Sent
from camgate.webhooks.receiver import WebhookStatistics

CAMERAS_A_STEP = 25
"""Snapshots taken in one go, of 30 us each, before other tasks get their turn."""
SAMPLES_A_STEP = 200
"""Written in one go, at 5 us each."""
END = b"# EOF\n"
"""Of OpenMetrics."""
UNCONNECTED = "none"
"""The transport of a viewer that has not connected yet."""


class Metrics:
    """Tells Prometheus of a running camgate. It runs no task.

    directories: where camgate keeps something, by what; a directory that is missing is left out. transcoders: counts
    the processes that make another codec. webhooks: tells the figures of each receiver.
    """

    def __init__(
        self,
        registry: Registry,
        endpoint: Endpoint,
        load: LoadWatch,
        access: Access,
        *,
        guests: Guests | None = None,
        tls: ServerTls | None = None,
        directories: Mapping[str, Path] | None = None,
        transcoders: Callable[[], int] = lambda: 0,
        webhooks: Callable[[], Mapping[str, WebhookStatistics]] = dict,
    ) -> None:
        self._registry = registry
        self._endpoint = endpoint
        self._load = load
        self._access = access
        self._guests = guests
        self._tls = tls
        self._directories = dict(directories or {})
        self._transcoders = transcoders
        self._webhooks = webhooks
        self._process = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._process)

    async def page(self, accept: str) -> tuple[bytes, str]:
        """Return the page in the format that an Accept header asks for, and its media type."""
        encode, content_type = choose_encoder(accept)
        cameras = await self._cameras()
        families = chain(server_families(self._server()), camera_families(cameras), self._process.collect())
        return await _write(families, encode), content_type

    async def _cameras(self) -> list[Camera]:
        sources = self._registry.sources()
        peers: dict[str, list[Peer]] = {}
        for peer in self._endpoint.peers():
            self._endpoint.tally.look(peer)
            peers.setdefault(peer.camera, []).append(peer)
        sent = self._endpoint.tally.sent(self._endpoint.peers(), {source.name for source in sources})
        readers = self._guests.count_by_camera() if self._guests else {}
        cameras = []
        for number, source in enumerate(sources, start=1):
            clients = readers.get(source.name, 0)
            cameras.append(_camera(source, peers.get(source.name, []), clients, sent.get(source.name, Sent())))
            if number % CAMERAS_A_STEP == 0:
                await trio.lowlevel.checkpoint()
        return cameras

    def _server(self) -> Server:
        tally = self._endpoint.tally
        return Server(
            version=__version__,
            load=self._load.statistics(),
            endpoint=self._endpoint.statistics(),
            connects_failed=self._endpoint.failures.by_reason(),
            connected=(tally.connected.buckets(), tally.connected.sum_s),
            first_frame=(tally.first_frame.buckets(), tally.first_frame.sum_s),
            logins_refused=self._access.logins_refused,
            logins_throttled=self._access.throttle.refused,
            log_lines_dropped=dropped_lines(),
            transcoders=self._transcoders(),
            tasks=trio.lowlevel.current_statistics().tasks_living,
            rtsp=self._guests.statistics() if self._guests else None,
            certificate_expires_at=self._tls.expires_at if self._tls else None,
            webhooks=self._webhooks(),
            disks={of: room for of, where in self._directories.items() if (room := room_at(where)) is not None},
        )


def _camera(source: Source, peers: list[Peer], rtsp_clients: int, sent: Sent) -> Camera:
    """Take a snapshot of a camera, with what its viewers report."""
    counts = Counter((peer.codec, peer.transport or UNCONNECTED) for peer in peers)
    watching = [peer.viewer for peer in peers if peer.viewer is not None]
    round_trips = [viewer.round_trip_s for viewer in watching if viewer.round_trip_s is not None]
    losses = [viewer.loss_fraction for viewer in watching]
    return Camera(
        source.statistics(),
        rtsp_clients=rtsp_clients,
        sent=sent,
        viewers=counts,
        round_trip_s=(median(round_trips), max(round_trips)) if round_trips else None,
        loss=(median(losses), max(losses)) if losses else None,
    )


def room_at(directory: Path) -> tuple[int, int] | None:
    """Return the room where a directory is, or will be once something is kept in it; None where that cannot be told."""
    for place in (directory, *directory.absolute().parents):
        try:
            facts = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    return None


class _Piece:
    """A part of one family, as the client's encoders take it."""

    def __init__(self, family: Metric, first: int) -> None:
        self._family = copy(family)
        self._family.samples = family.samples[first : first + SAMPLES_A_STEP]

    def collect(self) -> Iterator[Metric]:
        """Return it."""
        yield self._family


async def _write(families: Iterable[Metric], encode: Callable[[Any], bytes]) -> bytes:
    """Encode all families, in steps of SAMPLES_A_STEP."""
    parts, end = [], b""
    for family in families:
        for first in range(0, max(1, len(family.samples)), SAMPLES_A_STEP):
            text = encode(_Piece(family, first))
            if text.endswith(END):
                text, end = text.removesuffix(END), END
            if first:
                # What says which family it is stands above its first samples.
                text = b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"# "))
            parts.append(text)
            await trio.lowlevel.checkpoint()
    return b"".join((*parts, end))
