"""One light viewer: WHEP, one ICE check, DTLS, SRTP on a socket of its own; what arrives goes to its `Reception`.

Its crowd owns its tasks: `join` is one of them, `drain` is called whenever its socket has something.
"""

import contextlib
import secrets
import socket
import struct
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import pylibsrtp
import trio

from camgate.base.errors import RemoteError
from camgate.bench.packet_filter import KEPT_ONE_IN, keep_one_in_32
from camgate.bench.reception import Reception
from camgate.bench.signaling import Access, Server, build_offer, parse_answer_untrusted, request
from camgate.serve.webrtc.dtls import Certificate, DtlsSession, SrtpKeys, sha256_fingerprint
from camgate.wire.ice import stun
from camgate.wire.rtp.rtcp import ReportBlock, build_receiver_report

LOOPBACK = "127.0.0.1"
CHECK_INTERVAL_S = 0.25
CHECK_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 15.0
"""From the request to keys, all in all."""
RECEIVE_BUFFER_BYTES = 2 << 20
MAX_DATAGRAM_BYTES = 2_048
MAX_EARLY_DATAGRAMS = 1_024
"""Media that overtakes the end of the handshake."""
DRAIN_LIMIT = 512
"""Datagrams read from one socket before the others have their turn."""

SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_BYTES = 64
_CHECK_PRIORITY = (110 << 24) | 0xFFFFFF  # RFC 8445 section 5.1.2.2: peer-reflexive
_RTCP_TYPES = range(192, 224)  # RFC 5761 section 4, marker bit included
_TYPICAL_JITTER = 20


class JoinFailed(RemoteError):
    """A viewer did not get as far as video; the reason says where it ended."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerSettings:
    """Whom a viewer asks, and how. `certificate` may be shared: servers compare its fingerprint only.

    number: which viewer it is; decides the frames whose marks it sees if it is not `full`.
    """

    url: str
    camera: int
    number: int
    full: bool
    certificate: Certificate
    authorization: str | None = None


class Viewer:
    """One viewer of one camera."""

    def __init__(self, settings: ViewerSettings) -> None:
        self.settings = settings
        self.reception = Reception(full=settings.full)
        self.requested_s = 0.0
        """When its offer was posted, like all times here in seconds of Unix time."""
        self.connected_s: float | None = None
        self.refused_in_window = 0
        """Packets that did not authenticate."""
        self.sock = _open_socket(urlsplit(settings.url).hostname or LOOPBACK)
        self._ufrag, self._pwd = secrets.token_hex(4), secrets.token_hex(16)
        self._server_ufrag, self._server_pwd = "", b""
        self._tie_breaker = secrets.randbits(64)
        self._transaction_id = secrets.token_bytes(stun.TRANSACTION_ID_BYTES)
        self._server_address: tuple[str, int] | None = None
        self._checked = trio.Event()
        self._dtls: DtlsSession | None = None
        self._keys: SrtpKeys | None = None
        self._early: list[tuple[bytes, float]] = []
        self._filtered = False

    async def join(self) -> None:
        """Ask, check, agree on keys. Raises RemoteError: SignalingFailed, JoinFailed or DtlsFailed."""
        with trio.move_on_after(CONNECT_TIMEOUT_S):
            server = await self._signal()
            self._server_ufrag, self._server_pwd = server.ufrag, server.pwd.encode()
            await self._check(server)
            fingerprints = server.fingerprints
            certificate = self.settings.certificate.current()
            self._dtls = DtlsSession(certificate, fingerprints, self._send, role="client")
            keys = await self._dtls.handshake()
            self.connected_s = time.time()
            self._keys = keys
            for datagram, arrival_s in self._early:
                self._receive_media(datagram, arrival_s)
            self._early.clear()
            return
        raise JoinFailed(f"not connected within {CONNECT_TIMEOUT_S:g} s")

    async def _signal(self) -> Server:
        address, port = self.sock.getsockname()
        fingerprint = sha256_fingerprint(self.settings.certificate.current())
        access = Access(ufrag=self._ufrag, pwd=self._pwd, fingerprint=fingerprint, address=address, port=port)
        body = build_offer(access).encode()

        def post() -> bytes:
            self.requested_s = time.time()
            return request(self.settings.url, body=body, authorization=self.settings.authorization)

        answer = await trio.to_thread.run_sync(post, abandon_on_cancel=True)
        return parse_answer_untrusted(answer.decode(errors="replace"))

    async def _check(self, server: Server) -> None:
        """Send a connectivity check (RFC 8445 section 7.2.4), which nominates at once, until it is answered.

        Candidates take turns; the address that the server is called by comes first.
        """
        host = self.sock.getsockname()[0]
        candidates = sorted(server.candidates, key=lambda candidate: candidate[0] != host)
        datagram = self._build_check(self._transaction_id)
        tries = int(CHECK_TIMEOUT_S / CHECK_INTERVAL_S)
        for number in range(tries):
            with contextlib.suppress(OSError):
                self.sock.sendto(datagram, candidates[number % len(candidates)])
            with trio.move_on_after(CHECK_INTERVAL_S):
                await self._checked.wait()
                return
        raise JoinFailed(f"no answer to {tries} ICE checks of {len(candidates)} addresses")

    def _build_check(self, transaction_id: bytes) -> bytes:
        return stun.build_binding_request(
            transaction_id,
            f"{self._server_ufrag}:{self._ufrag}",
            self._server_pwd,
            priority=_CHECK_PRIORITY,
            tie_breaker=self._tie_breaker,
            use_candidate=True,
            controlling=True,
        )

    def begin_window(self) -> None:
        """Count from here."""
        self.refused_in_window = 0
        self.reception.begin_window()

    def drain(self) -> None:
        """Take what has arrived."""
        receive = self.sock.recvmsg
        for _ in range(DRAIN_LIMIT):
            try:
                data, ancillary, _, address = receive(MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # what ICMP says of an earlier datagram
            first = data[0] if data else 0
            if 128 <= first < 192:
                self._receive_media(data, _arrival_s(ancillary))
            elif 20 <= first < 64 and self._dtls is not None:
                self._dtls.receive_datagram(data)
            elif first < 4:
                self._receive_stun_untrusted(data, address)

    def _receive_media(self, data: bytes, arrival_s: float) -> None:
        if self._keys is None:
            if len(self._early) < MAX_EARLY_DATAGRAMS:
                self._early.append((data, arrival_s))
            return
        if data[1] in _RTCP_TYPES:
            return
        try:
            packet = self._keys.inbound.unprotect(data)
        except pylibsrtp.Error:
            self.refused_in_window += 1
            return
        self.reception.receive_packet(packet, arrival_s)
        if self.reception.key_frame_s is not None and not self._filtered:
            self._filtered = True
            if not self.settings.full:
                keep_one_in_32(self.sock, self.settings.number % KEPT_ONE_IN)

    def _receive_stun_untrusted(self, data: bytes, address: tuple[str, int]) -> None:
        try:
            message = stun.parse_stun_untrusted(data)
        except stun.StunMalformed:
            return
        if message.message_type == stun.BINDING_REQUEST and message.has_integrity(self._pwd.encode()):
            with contextlib.suppress(OSError):
                self.sock.sendto(stun.build_binding_success(message, address, self._pwd.encode()), address)
        elif (
            message.message_type == stun.BINDING_SUCCESS
            and message.transaction_id == self._transaction_id
            and message.has_integrity(self._server_pwd)
            and not self._checked.is_set()
        ):
            self._server_address = address
            self._checked.set()

    def check_consent(self) -> None:
        """Send a check whose answer nobody waits for, as browsers do every 2.5 s (RFC 7675 section 5.1: 4 to 6 s)."""
        if self._keys is not None:
            self._send(self._build_check(secrets.token_bytes(stun.TRANSACTION_ID_BYTES)))

    def report(self) -> None:
        """Send a receiver report, as browsers do once a second."""
        if self._keys is None or self.reception.index < 0:
            return
        block = ReportBlock(self.reception.ssrc, 0, 0, self.reception.index & 0xFFFFFFFF, _TYPICAL_JITTER, 0, 0)
        self._send(self._keys.outbound.protect_rtcp(build_receiver_report(1, [block])))

    def close(self) -> None:
        """Say goodbye (DTLS close_notify) and close the socket."""
        if self._dtls is not None:
            self._dtls.close()
        self.sock.close()

    def _send(self, datagram: bytes) -> None:
        assert self._server_address is not None
        with contextlib.suppress(OSError):
            self.sock.sendto(datagram, self._server_address)


def _open_socket(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind((_address_towards(host), 0))
    return sock


def _address_towards(host: str) -> str:
    """Return our address on the way to `host`; finding out sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return LOOPBACK
        address: str = probe.getsockname()[0]
        return address


def _arrival_s(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Return when the kernel got a datagram: our own waiting for the processor does not count as the server's delay."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
