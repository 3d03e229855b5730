"""The handshake against aiortc's own client side: keys that fit, failures in words.

Fails when an upgrade of aiortc moves one of the private names that `dtls` touches.
"""

import asyncio
import datetime
import gc
import weakref
from collections.abc import Callable

import pytest
import trio
import trio.lowlevel
import trio.testing
import trio_asyncio
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

from camgate.serve.webrtc.dtls import (
    MAX_WAITING_DATAGRAMS,
    REPEAT_FLIGHT_S,
    Certificate,
    DtlsFailed,
    DtlsSession,
    sha256_fingerprint,
    split_flight,
)
from camgate.serve.webrtc.numbering import packet_nonce, salted


class ClientIce:
    """The browser's side of a lossless network."""

    role = "controlling"

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.deliver: Callable[[bytes], None] = lambda data: None

    async def _recv(self) -> bytes:
        return await self.inbox.get()

    async def _send(self, data: bytes) -> None:
        self.deliver(data)


class Pair:
    """Our server session and an aiortc client, joined."""

    def __init__(
        self, profiles: list[SRTPProtectionProfile], *, fingerprint: str | None = None, lose_first: bool = False
    ) -> None:
        self.client_certificate = RTCCertificate.generateCertificate()
        self.server_certificate = Certificate().current()
        self.ice = ClientIce()
        self.client = RTCDtlsTransport(self.ice, [self.client_certificate])
        self.client._set_role("client")
        self.client._srtp_profiles = profiles
        theirs = fingerprint or sha256_fingerprint(self.client_certificate)
        self.sent: list[bytes] = []
        self._losing = lose_first
        self.server = DtlsSession(self.server_certificate, [("sha-256", theirs)], self._to_client)
        self.ice.deliver = self.server.receive_datagram

    def _to_client(self, data: bytes) -> None:
        self.sent.append(data)
        if self._losing:
            self._losing = False
            return
        self.ice.inbox.put_nowait(data)

    async def start_client(self) -> None:
        ours = RTCDtlsFingerprint("sha-256", sha256_fingerprint(self.server_certificate))
        await trio_asyncio.aio_as_trio(self.client.start)(RTCDtlsParameters([ours]))


async def test_gcm_is_preferred_and_the_keys_fit() -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AES128_CM_SHA1_80, SRTP_AEAD_AES_128_GCM])
        nursery.start_soon(pair.start_client)
        keys = await pair.server.handshake()
        assert keys.profile == "SRTP_AEAD_AES_128_GCM"
        assert keys.gcm_key is not None
        assert keys.gcm_salt is not None
        while pair.client.state != "connected":
            await trio.lowlevel.checkpoint()
        header = bytes.fromhex("80600001000000020000004d")
        nonce = packet_nonce(salted(keys.gcm_salt, 0x4D), 1)
        packet = header + AESGCM(keys.gcm_key).encrypt(nonce, b"picture", header)
        assert pair.client._rx_srtp.unprotect(packet) == header + b"picture"
        report = bytes.fromhex("80c90001") + bytes(4)
        assert keys.inbound.unprotect_rtcp(pair.client._tx_srtp.protect_rtcp(report)) == report
        assert pair.client._rx_srtp.unprotect_rtcp(keys.outbound.protect_rtcp(report)) == report
        assert all(len(datagram) <= 1200 for datagram in pair.sent)
        await trio_asyncio.aio_as_trio(pair.client.stop)()
        assert pair.server.closed_by_peer
        nursery.cancel_scope.cancel()


async def test_a_client_without_gcm_gets_sha1_80() -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AES128_CM_SHA1_80])
        nursery.start_soon(pair.start_client)
        keys = await pair.server.handshake()
        assert keys.profile == "SRTP_AES128_CM_SHA1_80"
        assert keys.gcm_key is None
        while pair.client.state != "connected":
            await trio.lowlevel.checkpoint()
        packet = bytes.fromhex("80600001000000020000004d") + b"picture"
        assert pair.client._rx_srtp.unprotect(keys.outbound.protect(packet)) == packet
        nursery.cancel_scope.cancel()


async def test_closing_tells_the_client() -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AEAD_AES_128_GCM])
        nursery.start_soon(pair.start_client)
        await pair.server.handshake()
        while pair.client.state != "connected":
            await trio.lowlevel.checkpoint()
        pair.server.close()
        while pair.client.state == "connected":
            await trio.lowlevel.checkpoint()
        assert pair.client.state == "closed"


async def test_a_wrong_fingerprint_is_refused() -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AEAD_AES_128_GCM], fingerprint=":".join(["00"] * 32))
        nursery.start_soon(pair.start_client)
        with pytest.raises(DtlsFailed, match="not acceptable"):
            await pair.server.handshake()
        nursery.cancel_scope.cancel()


async def test_a_silent_viewer_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    session = DtlsSession(Certificate().current(), [("sha-256", "00")], lambda data: None)
    with pytest.raises(DtlsFailed, match="not finished within 15 s"):
        await session.handshake()


async def test_garbage_after_the_handshake_changes_nothing() -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AEAD_AES_128_GCM])
        nursery.start_soon(pair.start_client)
        await pair.server.handshake()
        for garbage in (b"\x16", bytes(60), b"\x15\xfe\xfd" + bytes(30), b"\x17\xfe\xfd" + b"\xff" * 60):
            pair.server.receive_datagram(garbage)
        assert not pair.server.closed_by_peer
        nursery.cancel_scope.cancel()


def test_certificates_are_renewed_before_they_end() -> None:
    certificate = Certificate()
    first = certificate.current()
    assert certificate.current() is first
    assert certificate.current(first.expires - datetime.timedelta(hours=1)) is not first


def test_flights_are_cut_at_records() -> None:
    def record(size: int) -> bytes:
        return bytes(11) + size.to_bytes(2, "big") + bytes(size)

    flight = record(500) + record(500) + record(400) + record(10)
    assert list(split_flight(flight)) == [record(500) * 2, record(400) + record(10)]
    assert list(split_flight(b"")) == []


async def test_what_is_not_looked_at_yet_is_bounded() -> None:
    session = DtlsSession(Certificate().current(), [("sha-256", "00")], lambda data: None)
    for _ in range(10 * MAX_WAITING_DATAGRAMS):
        session.receive_datagram(bytes((22,)) * 100)
    assert session._to_handshake.statistics().current_buffer_used == MAX_WAITING_DATAGRAMS


async def test_a_closed_session_is_freed_at_once() -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AEAD_AES_128_GCM])
        nursery.start_soon(pair.start_client)
        await pair.server.handshake()
        ssl = weakref.ref(pair.server._ssl)
        await trio.testing.wait_all_tasks_blocked()
        gc.disable()
        try:
            pair.server.close()
            assert ssl() is None
        finally:
            gc.enable()
        pair.server.receive_datagram(bytes((22,)) * 100)
        nursery.cancel_scope.cancel()


def test_sessions_share_one_openssl_context_that_remembers_no_session() -> None:
    certificate = Certificate().current()
    context = certificate._create_ssl_context([SRTP_AEAD_AES_128_GCM])
    assert certificate._create_ssl_context([SRTP_AEAD_AES_128_GCM]) is context
    assert context.get_session_cache_mode() == SSL.SESS_CACHE_OFF


async def test_a_lost_flight_comes_again_soon(autojump_clock: trio.testing.MockClock) -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AEAD_AES_128_GCM], lose_first=True)
        nursery.start_soon(pair.start_client)
        began_s = trio.current_time()
        await pair.server.handshake()
        assert REPEAT_FLIGHT_S <= trio.current_time() - began_s < 5 * REPEAT_FLIGHT_S
        assert pair.sent[0] == pair.sent[1]
        nursery.cancel_scope.cancel()


async def test_the_last_flight_is_sent_twice(autojump_clock: trio.testing.MockClock) -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AEAD_AES_128_GCM])
        nursery.start_soon(pair.start_client)
        await pair.server.handshake()
        assert pair.sent[-1] == pair.sent[-2]
        while pair.client.state != "connected":
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


async def test_all_records_of_a_datagram_are_read() -> None:
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        pair = Pair([SRTP_AEAD_AES_128_GCM])
        nursery.start_soon(pair.start_client)
        await pair.server.handshake()
        while pair.client.state != "connected":
            await trio.lowlevel.checkpoint()
        client = pair.client._ssl
        assert client is not None
        for _ in range(3):
            client.send(b"nothing that we want")
        client.shutdown()
        # RFC 6347 section 4.1.1: a datagram may hold several records. What was left of each would pile up.
        pair.server.receive_datagram(client.bio_read(2_048))
        assert pair.server.closed_by_peer
        nursery.cancel_scope.cancel()
