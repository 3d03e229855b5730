"""Who floods gets his budget and no more, is cut off in one line, and disturbs nobody who watches beside him.

Time is virtual: what a flood costs is for tests/bench/bench_abuse.py to say. See docs/design/abuse.md.
"""

import itertools
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
import trio.testing

from camgate.relay.stream import Stream
from camgate.serve.webrtc import endpoint as endpoint_module
from camgate.serve.webrtc.budget import (
    CHECK_BURST,
    CHECKS_PER_S,
    GARBAGE_BURST,
    GARBAGE_PER_S,
    MAX_REPORTERS,
    PATIENCE,
    RECORD_BURST,
    RECORDS_PER_S,
)
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.peer import MAX_PATHS, SILENCE_TIMEOUT_S
from camgate.serve.webrtc.viewer import RETRANSMIT_BURST_PACKETS, RETRANSMIT_PACKETS_PER_S, Viewer
from camgate.wire.ice import stun
from camgate.wire.rtp import rtcp
from tests.fakes.crowd import FakePort, Person
from tests.fakes.frames import FRAME_S, make_frame

GOP_FRAMES = 25
FRAME_BYTES = 12_000
FLOOD_S = 2.0
FLOOD_PER_S = 5_000
STEP_S = 0.01
ATTACKER = ("198.51.100.66", 6_666)
WATCHER = ("192.0.2.1", 1_111)
Flood = Callable[[], bytes]


class Scene:
    """A camera that films, a viewer who watches it, and an attacker who has joined, too."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.port = FakePort()
        self.stream = Stream("front")
        self.published = 0
        self.watcher = self.join(WATCHER)
        self.attacker = self.join(ATTACKER)

    def join(self, address: tuple[str, int]) -> Person:
        return Person(self.endpoint, self.port, self.stream, address)

    async def film(self) -> None:
        while True:
            is_key = self.published % GOP_FRAMES == 0
            self.stream.publish(make_frame(self.published, key=is_key, size=FRAME_BYTES, arrival_s=trio.current_time()))
            self.published += 1
            await trio.sleep(FRAME_S)

    async def flood(
        self, make: Flood, sources: Iterator[tuple[str, int]] | None = None, per_s: int = FLOOD_PER_S
    ) -> int:
        """Send for FLOOD_S; returns how many datagrams."""
        sent = 0
        began_s = trio.current_time()
        while (elapsed_s := trio.current_time() - began_s) < FLOOD_S:
            while sent < elapsed_s * per_s:
                self.attacker.send(make(), next(sources) if sources else None)
                sent += 1
            await trio.sleep(STEP_S)
        return sent

    def check_watcher(self) -> None:
        """The watcher has got every frame since it joined, in time, and without a gap in the numbers."""
        self.watcher.read()
        frames = self.watcher.receiver.frames()
        assert len(frames) == self.published
        assert max(after - before for before, after in pairwise(self.watcher.media_times)) <= 1.5 * FRAME_S
        assert not self.watcher.peer.closed_reason


@asynccontextmanager
async def _scene() -> AsyncIterator[Scene]:
    endpoint = Endpoint()
    async with trio.open_nursery() as nursery:
        await nursery.start(endpoint.run)
        scene = Scene(endpoint)
        nursery.start_soon(scene.film)
        nursery.start_soon(scene.watcher.watch)
        await trio.sleep(10 * FRAME_S)
        yield scene
        scene.check_watcher()
        nursery.cancel_scope.cancel()


def _lines(caplog: pytest.LogCaptureFixture, sentence: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if sentence in record.getMessage()]


def _media(scene: Scene) -> Viewer:
    viewer = scene.attacker.peer.viewer
    assert viewer is not None
    return viewer


def _reports(packet: Callable[[Scene], bytes]) -> Callable[[Scene], Flood]:
    """Make a flood of one RTCP packet, sealed anew each time."""

    def start(scene: Scene) -> Flood:
        plain = packet(scene)
        return lambda: scene.attacker.seal(plain)

    return start


def _nack(scene: Scene, behind: int, count: int = 1_000) -> bytes:
    first = _media(scene).last_index - behind
    return rtcp.build_nack(1, scene.attacker.peer.ssrc, [(first + i) & 0xFFFF for i in range(count)])


def _pli(scene: Scene) -> bytes:
    return rtcp.build_picture_loss_indication(1, scene.attacker.peer.ssrc)


OWN_FLOODS: dict[str, Callable[[Scene], Flood]] = {
    "checks": lambda scene: scene.attacker.check,
    "NACKs of the newest packets": _reports(lambda scene: _nack(scene, 100, 100)),
    "NACKs of packets that never were": _reports(lambda scene: _nack(scene, 20_000)),
    "compounds of NACKs": _reports(lambda scene: _nack(scene, 1_000) * 5),
    "PLIs": _reports(_pli),
    "compounds of PLIs": _reports(lambda scene: _pli(scene) * 100),
    "reports": _reports(lambda scene: rtcp.build_receiver_report(1)),
}
"""Floods that only a viewer itself can send."""


@pytest.mark.parametrize("kind", OWN_FLOODS)
async def test_a_viewer_that_floods_is_cut_off(
    kind: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with _scene() as scene:
        await scene.flood(OWN_FLOODS[kind](scene))
        with trio.fail_after(1):
            reason = await scene.attacker.peer.wait_closed()
        assert reason == "the viewer flooded us with checks and reports"
        assert len(_lines(caplog, "viewer cut off")) == 1
        assert scene.endpoint.statistics().viewers_cut_off == 1
        assert all(peer is scene.watcher.peer for peer in scene.endpoint._by_path.values())
        scene.attacker.read()
        assert scene.attacker.answers <= CHECK_BURST + CHECKS_PER_S * FLOOD_S
        media = _media(scene)
        assert media.packets_retransmitted <= RETRANSMIT_BURST_PACKETS + RETRANSMIT_PACKETS_PER_S * FLOOD_S
        assert scene.attacker.repeats == media.packets_retransmitted
        # A burst at the join, and one a second for whoever asks for key frames.
        live = (FLOOD_S + 1) / FRAME_S
        assert media.frames_sent <= live + (2 + FLOOD_S) * GOP_FRAMES


async def test_who_was_cut_off_may_come_again(autojump_clock: trio.testing.MockClock) -> None:
    async with _scene() as scene:
        await scene.flood(OWN_FLOODS["PLIs"](scene))
        scene.attacker.read()
        again = scene.join(ATTACKER)
        await trio.sleep(1)
        again.read()
        assert len(again.receiver.frames()) >= 1 / FRAME_S
        assert not again.peer.closed_reason


async def test_who_asks_too_often_but_not_for_long_is_answered_within_the_budget(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with _scene() as scene:
        sent = await scene.flood(OWN_FLOODS["NACKs of the newest packets"](scene), per_s=500)
        media = _media(scene)
        assert media.nacks_received == sent
        assert media.packets_retransmitted <= RETRANSMIT_BURST_PACKETS + RETRANSMIT_PACKETS_PER_S * FLOOD_S
        assert media.statistics().nacks_cut_short > sent / 2
        await scene.flood(OWN_FLOODS["PLIs"](scene), per_s=500)
        assert media.key_frame_requests >= FLOOD_S * 250
        assert media.frames_sent <= scene.published + (2 + FLOOD_S) * GOP_FRAMES
        assert not scene.attacker.peer.closed_reason
        scene.attacker.read()
        scene.attacker.receiver.frames()


GARBAGE: dict[str, Callable[[Scene], bytes]] = {
    "empty": lambda scene: b"",
    "one byte": lambda scene: b"\x80",
    "nothing known": lambda scene: b"\xff" * 100,
    "STUN without a name": lambda scene: b"\x00\x01" + bytes(50),
    "checks for nobody": lambda scene: stun.build_binding_request(
        os.urandom(12), f"{os.urandom(8).hex()}:x", b"x" * 32, priority=1, tie_breaker=1
    ),
    "checks with a wrong password": lambda scene: scene.watcher.check("x" * 32),
    "reports under a wrong key": lambda scene: b"\x80\xc9\x00\x07" + os.urandom(60),
    "huge reports": lambda scene: b"\x80\xc9\x01\x76" + os.urandom(1_800),
    "RTP": lambda scene: b"\x80\x60" + os.urandom(1_000),
    "DTLS": lambda scene: b"\x17\xfe\xfd" + os.urandom(100),
}
"""What anybody can send under a viewer's address."""


@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage_under_a_watchers_address_ends_nobody(
    kind: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with _scene() as scene:
        scene.watcher.read()
        answers = scene.watcher.answers
        await scene.flood(lambda: GARBAGE[kind](scene), iter(lambda: WATCHER, None))
        assert not scene.attacker.peer.closed_reason
        assert len(_lines(caplog, "too much comes under a viewer's name or address")) <= 1
        assert not _lines(caplog, "internal error")
        scene.watcher.read()
        assert scene.watcher.answers <= answers + math.ceil(FLOOD_S / 2.5)


async def test_garbage_is_looked_at_within_a_budget(autojump_clock: trio.testing.MockClock) -> None:
    async with _scene() as scene:
        reports = await scene.flood(lambda: GARBAGE["reports under a wrong key"](scene))
        records = await scene.flood(lambda: GARBAGE["DTLS"](scene))
        refused = scene.attacker.peer.statistics().refused
        tried = scene.attacker.session.tried
        assert tried == reports - refused.garbage
        assert tried <= GARBAGE_BURST + GARBAGE_PER_S * (FLOOD_S + STEP_S)
        assert records - refused.records <= RECORD_BURST + RECORDS_PER_S * FLOOD_S


async def test_reports_in_ever_new_names_are_opened_for_few_of_them(autojump_clock: trio.testing.MockClock) -> None:
    """libsrtp remembers each for ever, and looks through all of them."""
    async with _scene() as scene:
        names = itertools.count(1)
        tried = scene.attacker.session.tried
        for _ in range(20 * MAX_REPORTERS):
            scene.attacker.send(scene.attacker.seal(rtcp.build_receiver_report(next(names))))
        assert scene.attacker.session.tried - tried == MAX_REPORTERS
        assert scene.attacker.peer.statistics().refused.garbage == 19 * MAX_REPORTERS
        scene.attacker.send(scene.attacker.seal(rtcp.build_receiver_report(1)))
        assert scene.attacker.session.tried - tried == MAX_REPORTERS + 1, "who is known is heard"


async def test_checks_from_forged_addresses_teach_us_few(autojump_clock: trio.testing.MockClock) -> None:
    """Also from the watcher's address, which stays the watcher's."""
    async with _scene() as scene:
        forged = ((f"203.0.113.{i % 256}", 1024 + i) if i % 2 else WATCHER for i in range(1 << 30))
        most = 0
        for _ in range(20):
            for _ in range(20):
                scene.attacker.send(scene.attacker.check(), next(forged))
            most = max(most, len(scene.endpoint._by_path))
            await trio.sleep(STEP_S)
        assert most <= MAX_PATHS + 1
        assert scene.attacker.peer.address == "198.51.100.66:6666"
        reflected = sum(len(inbox) for address, inbox in scene.port.inboxes.items() if address[0].startswith("203"))
        assert 0 < reflected <= 2 * CHECK_BURST
        await scene.flood(scene.attacker.check, forged)
        await scene.attacker.peer.wait_closed()
        await trio.sleep(STEP_S)
        assert list(scene.endpoint._by_path.values()) == [scene.watcher.peer]


async def test_what_was_overheard_and_is_repeated_ends_nobody_and_moves_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with _scene() as scene:
        overheard = [scene.watcher.check() for _ in range(500)]
        overheard += [scene.watcher.seal(rtcp.build_receiver_report(1)) for _ in range(500)]
        for datagram in overheard:
            scene.watcher.send(datagram)
        scene.watcher.read()
        scene.attacker.read()
        for source in (WATCHER, ATTACKER, ("203.0.113.5", 5)):
            turns = (overheard[i % len(overheard)] for i in range(1 << 30))
            await scene.flood(lambda turns=turns: next(turns), iter(lambda source=source: source, None))  # type: ignore[misc]
        assert not scene.watcher.peer.was_cut_off
        assert scene.watcher.peer.address == "192.0.2.1:1111"
        assert all(datagram[0] < 4 for _, datagram in scene.port.inboxes[("203.0.113.5", 5)])


async def test_a_flood_lets_nobody_fall_silent(autojump_clock: trio.testing.MockClock) -> None:
    """Though the watcher's own checks drown in those that are sent in its name, its reports count."""
    async with _scene() as scene:
        for _ in range(int(1.5 * SILENCE_TIMEOUT_S)):
            for _ in range(2 * CHECKS_PER_S):
                scene.attacker.send(scene.watcher.check("x" * 32), ("203.0.113.5", 5))
            scene.attacker.send(scene.attacker.check())
            await trio.sleep(1)
        assert not scene.watcher.peer.closed_reason


async def test_reading_gives_way_after_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much has arrived: the senders must have theirs."""
    endpoint = Endpoint()
    endpoint.bind(0)
    udp = endpoint._sockets[0]
    try:
        for _ in range(100):
            udp.sock.sendto(b"\xff", ("127.0.0.1", endpoint.port))
        ticks = iter(range(1_000))
        monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) * endpoint_module.READ_TURN_S / 10)
        endpoint._drain(udp)
        assert endpoint.statistics().datagrams_received == 10 - 1
    finally:
        endpoint.close()


async def test_what_the_kernel_had_no_room_for_is_counted() -> None:
    endpoint = Endpoint()
    endpoint.bind(0)
    try:
        udp = endpoint._sockets[0]
        assert endpoint.statistics().datagrams_lost == 0
        for _ in range(30_000):
            udp.sock.sendto(bytes(1_000), ("127.0.0.1", endpoint.port))
        assert 0 < endpoint.statistics().datagrams_lost < 30_000
    finally:
        endpoint.close()


async def test_refusals_are_in_the_statistics(autojump_clock: trio.testing.MockClock) -> None:
    async with _scene() as scene:
        for _ in range(CHECK_BURST + 100):
            scene.attacker.send(scene.attacker.check())
        (statistics,) = (s for s in scene.endpoint.peer_statistics() if s.address == "198.51.100.66:6666")
        assert statistics.refused.checks >= 100
        assert statistics.refused.checks < PATIENCE
