"""DTLS-SRTP up to the keys: aiortc's handshake, bridged from asyncio to Trio, then no asyncio any more.

aiortc's RTCDtlsTransport does the handshake (certificates, fingerprints, use_srtp, retransmission timers). It runs
under trio-asyncio for the few milliseconds of the handshake only; after that a DTLS datagram (an alert, or the repeat
of a lost last flight) goes straight into its OpenSSL object. This is the only module that touches aiortc's private
names: `_create_ssl_context`, `_set_role`, `_srtp_profiles`, `_ssl`, `_task`, `_rx_srtp`, `_tx_srtp`;
`tests/serve/webrtc/test_dtls.py` fails when an upgrade moves one.
"""

import asyncio
import contextlib
import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import pylibsrtp
import trio
import trio_asyncio
from aiortc import rtcdtlstransport
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from OpenSSL import SSL

from camgate.base.errors import RemoteError
from camgate.serve.webrtc.packets import MAX_PACKET_BYTES
from camgate.serve.webrtc.srtp_keys import derive_gcm

HANDSHAKE_TIMEOUT_S = 15.0
"""A browser repeats lost flights after 50 ms to 3 s; one that needs longer than this has gone."""
MAX_WAITING_DATAGRAMS = 32
"""Not yet looked at by the handshake; a flight has up to ten, and what is dropped comes again."""
_CERTIFICATE_RENEWAL = datetime.timedelta(days=1)
_MAX_RECORD_BYTES = 16_384
_RECORD_HEADER_BYTES = 13

_GCM_128 = rtcdtlstransport.SRTP_AEAD_AES_128_GCM
_PROFILES = (_GCM_128, rtcdtlstransport.SRTP_AES128_CM_SHA1_80)
"""OpenSSL takes the first of the server's own list that the client offers: the cheap one first."""


class DtlsFailed(RemoteError):
    """The handshake did not lead to SRTP keys."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

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

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> SSL.Context:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
            # A context's own cache would keep thousands of sessions, none of which a browser ever resumes.
            self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
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


class _IceShim:
    """What RTCDtlsTransport needs of an ICE transport: datagrams in and out."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], object]) -> None:
        self.send_datagram = send
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING_DATAGRAMS)

    async def _recv(self) -> bytes:
        return await self.inbox.get()

    async def _send(self, data: bytes) -> None:
        for datagram in split_flight(data):
            self.send_datagram(datagram)


class DtlsSession:
    """One viewer's DTLS association.

    `send` is called with each datagram to send and must not block. Owned by the viewer's peer task.
    role: "server" is ours; a viewer of our own, such as the benchmark's, is the "client".
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        fingerprints: Sequence[tuple[str, str]],
        send: Callable[[bytes], object],
        *,
        role: Literal["server", "client"] = "server",
    ) -> None:
        self._shim = _IceShim(send)
        self._send = send
        self._transport: Any = RTCDtlsTransport(cast(Any, self._shim), [certificate])
        self._transport._set_role(role)
        self._transport._srtp_profiles = list(_PROFILES)
        self._remote = RTCDtlsParameters([RTCDtlsFingerprint(*pair) for pair in fingerprints])
        self._key_index = 1 if role == "server" else 0
        self._established = False
        self._is_closed = False
        self.closed_by_peer = False

    async def handshake(self) -> SrtpKeys:
        """Wait for the client's ClientHello, or as client send it, and finish the handshake.

        Must run inside `trio_asyncio.open_loop()`. Raises DtlsFailed: fingerprint mismatch, no common SRTP profile,
        protocol error, or HANDSHAKE_TIMEOUT_S passed.
        """
        with trio.move_on_after(HANDSHAKE_TIMEOUT_S) as timeout:
            await trio_asyncio.aio_as_trio(self._transport.start)(self._remote)
        if timeout.cancelled_caught:
            raise DtlsFailed(f"not finished within {HANDSHAKE_TIMEOUT_S:g} s")
        if self._transport.state != "connected":
            raise DtlsFailed("the viewer's certificate, its SRTP profiles or its messages were not acceptable")
        # aiortc would now pump datagrams in an asyncio task; from here on they are handed over directly.
        self._transport._task.add_done_callback(_forget_cancellation)
        self._transport._task.cancel()
        self._transport._task = None
        self._established = True
        self._flush()
        while not self._shim.inbox.empty():
            self.receive_datagram(self._shim.inbox.get_nowait())
        return self._keys()

    def receive_datagram(self, data: bytes) -> None:
        """Take a DTLS datagram from the network. Sets `closed_by_peer` on close_notify."""
        if self._is_closed:
            return
        if not self._established:
            if not self._shim.inbox.full():
                self._shim.inbox.put_nowait(data)
            return
        ssl = self._transport._ssl
        ssl.bio_write(data)
        try:
            ssl.recv(_MAX_RECORD_BYTES)
        except SSL.ZeroReturnError:
            self.closed_by_peer = True
        except SSL.Error:
            pass  # nothing to read, or a record that does not authenticate: DTLS drops it (RFC 6347 section 4.1.2.7)
        self._flush()

    def close(self) -> None:
        """Tell the viewer that we close, by a close_notify alert (RFC 5246 section 7.2.1), and let go of everything."""
        if self._established and not self.closed_by_peer:
            with contextlib.suppress(SSL.Error):
                self._transport._ssl.shutdown()
            self._flush()
        # aiortc's transport, ours and who sends for us form a circle, which would keep OpenSSL's memory for long.
        self._is_closed = True
        self._send = self._shim.send_datagram = _drop
        self._transport = None

    def _flush(self) -> None:
        while True:
            try:
                data = self._transport._ssl.bio_read(_MAX_RECORD_BYTES)
            except SSL.Error:
                return
            for datagram in split_flight(data):
                self._send(datagram)

    def _keys(self) -> SrtpKeys:
        transport = self._transport
        profile = next(p for p in _PROFILES if p.openssl_profile == transport._ssl.get_selected_srtp_profile())
        key = salt = None
        if profile is _GCM_128:
            # RFC 5764 section 4.2: client key, server key, client salt, server salt.
            length = 2 * (profile.key_length + profile.salt_length)
            material = transport._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", length)
            pair = profile.get_key_and_salt(material, self._key_index)
            key, salt = derive_gcm(pair[: profile.key_length], pair[profile.key_length :])
        return SrtpKeys(profile.openssl_profile.decode(), key, salt, transport._tx_srtp, transport._rx_srtp)


def _drop(datagram: bytes) -> None:
    """Stand for the way to a viewer who is gone."""


def _forget_cancellation(task: asyncio.Task[None]) -> None:
    """Make a cancelled task let go of its CancelledError: from Python 3.12 on it keeps it until it is asked for it.

    The error's traceback holds aiortc's transport, and whoever last spoke to the task may hold that for long.
    """
    with contextlib.suppress(asyncio.CancelledError):
        task.exception()


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
