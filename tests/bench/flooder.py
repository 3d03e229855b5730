"""The process of one attacker: it sends what it is told to, as fast as this machine lets it.

Conversation: given the server's URL, it is told a kind of flood and for how long. It says when it begins, and then how
many datagrams it sent and whether the server ended its session. Many equal datagrams leave in one system call
(UDP_SEGMENT), as no other way is fast enough to hurt.
"""

import contextlib
import itertools
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import trio
import trio_asyncio

from camgate.bench.link import Link, link_to_parent
from camgate.bench.signaling import Server, SignalingFailed
from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.datagrams import UDP_SEGMENT
from camgate.serve.webrtc.dtls import Certificate
from camgate.wire.ice import stun
from camgate.wire.rtp import rtcp

BATCH = 32
BATCH_BYTES = 60_000
SOURCES = 256
SETTLE_S = 1.0
JOIN_TRIES = 40
JOIN_INTERVAL_S = 0.5
DRAINS = 20
"""What was sent meanwhile takes so many reads; the goodbye is behind it."""
_SEGMENT = struct.Struct("=H")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooded:
    """What a flood came to."""

    sent: int
    elapsed_s: float
    was_ended: bool


class Attacker(Viewer):
    """A viewer that keeps what it knows of the server for worse."""

    server: Server

    async def _check(self, server: Server) -> None:
        self.server = server
        await super()._check(server)

    @property
    def target(self) -> tuple[str, int]:
        assert self._server_address is not None
        return self._server_address

    def check(self, password: str | None = None) -> bytes:
        return stun.build_binding_request(
            os.urandom(stun.TRANSACTION_ID_BYTES),
            f"{self.server.ufrag}:{self._ufrag}",
            (password or self.server.pwd).encode(),
            priority=1,
            tie_breaker=1,
            use_candidate=True,
            controlling=True,
        )

    def sealed(self, packet: bytes) -> bytes:
        assert self._keys is not None
        sealed: bytes = self._keys.outbound.protect_rtcp(packet)
        return sealed

    @property
    def newest(self) -> int:
        return self.reception.index & 0xFFFF

    @property
    def was_ended(self) -> bool:
        self.drain()
        return self._dtls is not None and self._dtls.closed_by_peer


def _nack(attacker: Attacker, behind: int) -> bytes:
    first = attacker.newest - behind
    return rtcp.build_nack(1, attacker.reception.ssrc, [(first + i) & 0xFFFF for i in range(1_000)])


def _wrong_key(attacker: Attacker) -> bytes:
    return b"\x80\xc9\x00\x07" + os.urandom(60)


_HELLO = bytes.fromhex("16fefd0000000000000000003a0100002e000000000000002efefd") + bytes(44)

FRESH_CHECKS = "checks"
MANY_PORTS = "checks, many ports"
CONTROL_FLOODS: dict[str, Callable[[Attacker], bytes]] = {
    "NACK of 1,000": lambda attacker: _nack(attacker, 1_000),
    "NACK, unknown": lambda attacker: _nack(attacker, 20_000),
    "NACK compounds": lambda attacker: _nack(attacker, 20_000) * 5,
    "PLI": lambda attacker: rtcp.build_picture_loss_indication(1, attacker.reception.ssrc),
}
"""RTCP, sealed anew for each datagram: the same one twice would be a replay."""
VIEWER_FLOODS: dict[str, Callable[[Attacker], bytes]] = {
    "checks, repeated": Attacker.check,
    "checks, forged": lambda attacker: attacker.check("x" * 32),
    "reports, wrong key": _wrong_key,
    "DTLS hellos": lambda attacker: _HELLO,
    "DTLS garbage": lambda attacker: b"\x17\xfe\xfd" + os.urandom(200),
    "RTP": lambda attacker: b"\x80\x60" + os.urandom(1_000),
}
STRANGER_FLOODS: dict[str, Callable[[], bytes]] = {
    "empty datagrams": lambda: b"",
    "random bytes": lambda: os.urandom(100),
    "checks, unknown": lambda: stun.build_binding_request(
        os.urandom(12), f"{os.urandom(8).hex()}:viewer", b"x" * 32, priority=1, tie_breaker=1
    ),
    "as if SRTCP": lambda: b"\x80\xc9" + os.urandom(60),
}


def _blast(
    socks: Iterable[socket.socket], target: tuple[str, int], make: Callable[[], bytes], seconds: float, fresh: bool
) -> tuple[int, float]:
    """Send until the time is over; returns how many and how long. fresh: no datagram may be sent twice."""
    sample = make()
    count = min(BATCH, BATCH_BYTES // max(1, len(sample)))
    ancillary = [(socket.SOL_UDP, UDP_SEGMENT, _SEGMENT.pack(len(sample)))] if sample else []
    batch = [sample, *(make() for _ in range(count - 1))] if sample else [b""]
    sent, began_s = 0, time.monotonic()
    turns = itertools.cycle(socks)
    while (elapsed_s := time.monotonic() - began_s) < seconds:
        if fresh:
            batch = [make() for _ in range(count)]
        next(turns).sendmsg(batch, ancillary, 0, target)
        sent += len(batch)
    return sent, elapsed_s


async def flood(url: str, kind: str, seconds: float, link: Link) -> Flooded:
    """Join, say so, and attack."""
    certificate = Certificate()
    attacker = Attacker(ViewerSettings(url=url, camera=0, number=0, full=True, certificate=certificate))
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read, attacker)
            await _join(attacker)
            nursery.cancel_scope.cancel()
        await link.send({"begins": kind})
        attacker.sock.setblocking(True)
        if kind in CONTROL_FLOODS:
            plain = CONTROL_FLOODS[kind](attacker)
            sent, elapsed_s = _blast([attacker.sock], attacker.target, lambda: attacker.sealed(plain), seconds, True)
        elif kind in VIEWER_FLOODS:
            datagram = VIEWER_FLOODS[kind](attacker)
            sent, elapsed_s = _blast([attacker.sock], attacker.target, lambda: datagram, seconds, False)
        elif kind in (FRESH_CHECKS, MANY_PORTS):
            socks = [attacker.sock] if kind == FRESH_CHECKS else [_bound("127.0.0.1") for _ in range(SOURCES)]
            sent, elapsed_s = _blast(socks, attacker.target, attacker.check, seconds, True)
        else:
            socks = [_bound(f"127.9.{i}.{i}") for i in range(SOURCES)]
            sent, elapsed_s = _blast(socks, attacker.target, STRANGER_FLOODS[kind], seconds, False)
        attacker.sock.setblocking(False)
        await trio.sleep(0.3)
        was_ended = any(attacker.was_ended for _ in range(DRAINS))
        return Flooded(sent=sent, elapsed_s=elapsed_s, was_ended=was_ended)
    finally:
        attacker.close()


async def _join(attacker: Attacker) -> None:
    """Join, as soon as the server has recovered from the flood before."""
    for _ in range(JOIN_TRIES):
        with contextlib.suppress(SignalingFailed):
            await attacker.join()
            break
        await trio.sleep(JOIN_INTERVAL_S)
    else:
        await attacker.join()
    await trio.sleep(SETTLE_S)


async def _read(attacker: Attacker) -> None:
    while True:
        await trio.lowlevel.wait_readable(attacker.sock)
        attacker.drain()


def _bound(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    return sock


async def _run(link: Link) -> None:
    settings = await link.receive()
    async with trio_asyncio.open_loop():
        while settings is not None and (message := await link.receive()) is not None:
            done = await flood(settings["url"], message["flood"], message["seconds"], link)
            await link.send(asdict(done))


if __name__ == "__main__":
    trio.run(_run, link_to_parent())
