"""DTLS-SRTP up to the keys: aiortc's handshake, with Trio to wait with.

aiortc's RTCDtlsTransport does the handshake (certificates, fingerprints, use_srtp). Where its coroutine waits or sends
our methods stand in its place, so that it runs in a Trio task and needs no asyncio. After the handshake a DTLS
datagram (an alert, or the repeat of a lost last flight) goes straight into the OpenSSL object. This is the only module
that touches aiortc's private names: `_create_ssl_context`, `_do_handshake`, `_recv_next`, `_write_ssl`,
`_validate_peer_identity`, `_setup_srtp`, `_set_role`, `_srtp_profiles`, `_ssl`, `_state`, `_rx_srtp`, `_tx_srtp`;
`tests/serve/webrtc/test_dtls.py` fails when an upgrade moves one.
"""

import contextlib
import datetime
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import pylibsrtp
import trio
from aiortc import rtcdtlstransport
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, State
from OpenSSL import SSL

from camgate.base.errors import RemoteError
from camgate.serve.webrtc.packets import MAX_PACKET_BYTES
from camgate.serve.webrtc.srtp_keys import derive_gcm
from camgate.serve.webrtc.turns import Turns

HANDSHAKE_TIMEOUT_S = 15.0
"""A browser repeats lost flights after 50 ms to 3 s; one that needs longer than this has gone."""
MAX_WAITING_DATAGRAMS = 32
"""Not yet looked at by the handshake; a flight has up to ten, and what is dropped comes again."""
REPEAT_FLIGHT_S = 0.1
"""Until a flight that is not answered is sent again, then twice as long, and so on. OpenSSL begins with 1 s, a black
second at every fifth join where a tenth is lost."""
_CERTIFICATE_RENEWAL = datetime.timedelta(days=1)
_MODE_RELEASE_BUFFERS = 0x10  # SSL_CTX_set_mode(3); pyOpenSSL does not name it
_MAX_RECORD_BYTES = 16_384
_RECORD_HEADER_BYTES = 13

_GCM_128 = rtcdtlstransport.SRTP_AEAD_AES_128_GCM
_PROFILES = (_GCM_128, rtcdtlstransport.SRTP_AES128_CM_SHA1_80)
"""OpenSSL takes the first of the server's own list that the client offers: the cheap one first."""


class DtlsFailed(RemoteError):
    """The handshake did not lead to SRTP keys."""

    def __init__(self, reason: str, *, is_timeout: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_timeout = is_timeout

    def __str__(self) -> str:
        return f"DTLS handshake failed: {self.reason}"


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What the per-packet path needs of a finished handshake.

    gcm_key, gcm_salt: our session key (16 bytes) and salt (12 bytes) for SRTP, None under AES_CM_128_HMAC_SHA1_80.
    outbound: protects SRTCP, and SRTP under AES_CM_128_HMAC_SHA1_80. inbound: opens SRTCP.
    """

    profile: str
    gcm_key: bytes | None
    gcm_salt: bytes | None
    outbound: pylibsrtp.Session
    inbound: pylibsrtp.Session


class _SharingCertificate(RTCCertificate):
    """One OpenSSL context for all sessions of a certificate; one each cost a viewer 0.24 ms and 21 kB."""

    _context: SSL.Context | None = None
    _fingerprints: list[RTCDtlsFingerprint] | None = None

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:
        """Digest the certificate once: each answer names it."""
        if self._fingerprints is None:
            self._fingerprints = super().getFingerprints()
        return self._fingerprints

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> SSL.Context:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
            # A context's own cache would keep thousands of sessions, none of which a browser ever resumes.
            self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            # Between two datagrams an association needs no read buffer of 16 kB.
            self._context.set_mode(_MODE_RELEASE_BUFFERS)
        return self._context


class Certificate:
    """The ECDSA certificate that all viewers see, made once and renewed before it ends.

    An ECDSA certificate keeps the server's flight in one datagram. Browsers compare fingerprints only, so that a
    renewal disturbs nobody.
    """

    def __init__(self) -> None:
        self._current: RTCCertificate = _SharingCertificate.generateCertificate()

    def current(self, now: datetime.datetime | None = None) -> RTCCertificate:
        """Return a certificate that is valid for at least a day."""
        now = now or datetime.datetime.now(datetime.UTC)
        if self._current.expires - now < _CERTIFICATE_RENEWAL:
            self._current = _SharingCertificate.generateCertificate()
        return self._current


def sha256_fingerprint(certificate: RTCCertificate) -> str:
    """Return the value of `a=fingerprint:sha-256`."""
    value: str = next(f.value for f in certificate.getFingerprints() if f.algorithm == "sha-256")
    return value


class _Handshake(RTCDtlsTransport):
    """aiortc's handshake; waiting and sending are ours. `arriving` gives it the datagrams, one by one."""

    def __init__(
        self,
        certificate: RTCCertificate,
        role: Literal["server", "client"],
        send: Callable[[bytes], object],
        arriving: trio.MemoryReceiveChannel[bytes],
        turns: Turns,
    ) -> None:
        super().__init__(cast(Any, None), [certificate])
        self._set_role(role)
        self._srtp_profiles = list(_PROFILES)
        self.ssl: Any = SSL.Connection(certificate._create_ssl_context(self._srtp_profiles))
        self._ssl = self.ssl
        if role == "server":
            self.ssl.set_accept_state()
        else:
            self.ssl.set_connect_state()
        self._send_datagram = send
        self._arriving = arriving
        self._turns = turns
        self._flight: list[bytes] = []
        self._is_answered = False
        self._repeat_s = REPEAT_FLIGHT_S

    async def run(self, fingerprints: Sequence[tuple[str, str]]) -> bool:
        """Do what `RTCDtlsTransport.start` does, but for the asyncio task that it ends with; False on failure."""
        await self._do_handshake()
        if self._state is not State.FAILED:
            self._validate_peer_identity(RTCDtlsParameters([RTCDtlsFingerprint(*pair) for pair in fingerprints]))
        if self._state is not State.FAILED:
            self._setup_srtp()
        flush(self.ssl, self._send_new)
        return self._state is not State.FAILED

    def _send_new(self, datagram: bytes) -> None:
        if self._is_answered:
            self._flight.clear()
            self._is_answered, self._repeat_s = False, REPEAT_FLIGHT_S
        self._flight.append(datagram)
        self._send_datagram(datagram)

    def repeat_flight(self) -> None:
        """Send our last flight again, to the byte; what arrives twice is dropped (RFC 6347 section 4.1.2.6)."""
        for datagram in self._flight:
            self._send_datagram(datagram)

    async def _recv_next(self) -> None:
        timeout_s = self.ssl.DTLSv1_get_timeout()
        if self._flight:
            timeout_s = self._repeat_s if timeout_s is None else min(timeout_s, self._repeat_s)
        with trio.move_on_after(math.inf if timeout_s is None else timeout_s) as silence:
            self.ssl.bio_write(await self._arriving.receive())
            self._is_answered = True
        if silence.cancelled_caught:
            self._repeat_s *= 2
            self.repeat_flight()
            self.ssl.DTLSv1_handle_timeout()
        await self._turns.take()

    async def _write_ssl(self) -> None:
        flush(self.ssl, self._send_new)

    def keys(self) -> SrtpKeys:
        """Return the keys of a handshake that succeeded."""
        name = self.ssl.get_selected_srtp_profile()
        profile = next(p for p in _PROFILES if p.openssl_profile == name)
        key = salt = None
        if profile is _GCM_128:
            # RFC 5764 section 4.2: client key, server key, client salt, server salt.
            length = 2 * (profile.key_length + profile.salt_length)
            material = self.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", length)
            pair = profile.get_key_and_salt(material, 1 if self._role == "server" else 0)
            key, salt = derive_gcm(pair[: profile.key_length], pair[profile.key_length :])
        return SrtpKeys(name.decode(), key, salt, self._tx_srtp, self._rx_srtp)


class DtlsSession:
    """One viewer's DTLS association.

    `send` is called with each datagram to send and must not block. Owned by the viewer's peer task.
    role: "server" is ours; a viewer of our own, such as the benchmark's, is the "client".
    turns: shared by handshakes that should go on side by side without holding up others.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        fingerprints: Sequence[tuple[str, str]],
        send: Callable[[bytes], object],
        *,
        role: Literal["server", "client"] = "server",
        turns: Turns | None = None,
    ) -> None:
        self._certificate = certificate
        self._fingerprints = fingerprints
        self._send = send
        self._role = role
        self._turns = turns or Turns()
        self._to_handshake, self._arriving = trio.open_memory_channel[bytes](MAX_WAITING_DATAGRAMS)
        self._ssl: Any = None
        self._is_closed = False
        self.closed_by_peer = False

    async def handshake(self) -> SrtpKeys:
        """Wait for the client's ClientHello, or as client send it, and finish the handshake.

        Raises DtlsFailed: fingerprint mismatch, no common SRTP profile, protocol error, or HANDSHAKE_TIMEOUT_S passed.
        """
        with trio.move_on_after(HANDSHAKE_TIMEOUT_S):
            try:
                return await self._handshake()
            except SSL.Error as exc:
                raise DtlsFailed("OpenSSL gave up") from exc
        raise DtlsFailed(f"not finished within {HANDSHAKE_TIMEOUT_S:g} s", is_timeout=True)

    async def _handshake(self) -> SrtpKeys:
        # OpenSSL's memory is for viewers who come.
        first = await self._arriving.receive() if self._role == "server" else b""
        handshake = _Handshake(self._certificate, self._role, self._send, self._arriving, self._turns)
        if first:
            await self._turns.take()
            handshake.ssl.bio_write(first)
        if not await handshake.run(self._fingerprints):
            raise DtlsFailed("the viewer's certificate, its SRTP profiles or its messages were not acceptable")
        if self._role == "server":
            # Pictures follow at once, and are lost on a viewer who lacks this.
            handshake.repeat_flight()
        self._ssl = handshake.ssl
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self.receive_datagram(self._arriving.receive_nowait())
        return handshake.keys()

    @property
    def waiting(self) -> int:
        """How many datagrams the handshake has not looked at."""
        return self._to_handshake.statistics().current_buffer_used

    def receive_datagram(self, data: bytes) -> None:
        """Take a DTLS datagram from the network. Sets `closed_by_peer` on close_notify."""
        if self._is_closed:
            return
        if self._ssl is None:
            with contextlib.suppress(trio.WouldBlock):
                self._to_handshake.send_nowait(data)
            return
        self._ssl.bio_write(data)
        try:
            # A datagram may hold several records (RFC 6347 section 4.1.1); what is not read piles up in OpenSSL.
            while True:
                self._ssl.recv(_MAX_RECORD_BYTES)
        except SSL.ZeroReturnError:
            self.closed_by_peer = True
        except SSL.Error:
            pass  # nothing to read, or a record that does not authenticate: DTLS drops it (RFC 6347 section 4.1.2.7)
        flush(self._ssl, self._send)

    def close(self) -> None:
        """Tell the viewer that we close, by a close_notify alert (RFC 5246 section 7.2.1), and let go of everything."""
        if self._ssl is not None and not self.closed_by_peer:
            with contextlib.suppress(SSL.Error):
                self._ssl.shutdown()
            flush(self._ssl, self._send)
        # Who sends for us may hold us, too: a circle, which would keep OpenSSL's memory for long.
        self._is_closed = True
        self._send = _drop
        self._ssl = None


def _drop(datagram: bytes) -> None:
    """Stand for the way to a viewer who is gone."""


def flush(ssl: Any, send: Callable[[bytes], object]) -> None:
    """Send what OpenSSL has written."""
    with contextlib.suppress(SSL.Error):
        while True:
            for datagram in split_flight(ssl.bio_read(_MAX_RECORD_BYTES)):
                send(datagram)


def split_flight(data: bytes) -> Iterator[bytes]:
    """Cut what OpenSSL wrote into datagrams of whole DTLS records, as many in each as fit one packet.

    A memory BIO has no datagram borders; a record must not straddle two datagrams (RFC 6347 section 4.1.1).
    """
    start = end = 0
    while end < len(data):
        # RFC 6347 section 4.1: type, version, epoch, sequence number, then the length at byte 11.
        record = _RECORD_HEADER_BYTES + int.from_bytes(data[end + 11 : end + 13], "big")
        if end > start and end + record - start > MAX_PACKET_BYTES:
            yield data[start:end]
            start = end
        end += record
    if start < len(data):
        yield data[start:]
