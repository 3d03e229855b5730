"""The UDP port with real sockets on loopback: who may connect, who may not, and what a stranger can do."""

import gc
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from camgate.relay.stream import Stream
from camgate.serve.datagrams import Route, UdpSocket
from camgate.serve.webrtc.budget import CHECK_BURST
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.path import OfferCredit
from camgate.serve.webrtc.peer import (
    MAX_PATHS,
    SILENCE_TIMEOUT_S,
    TRANSITIONS,
    IceCredentials,
    Peer,
    PeerState,
)
from camgate.wire.ice import stun
from camgate.wire.ice.framing import framed
from tests.fakes.endpoint import running_endpoint
from tests.fakes.frames import H265_FORMAT
from tests.fakes.receiver import Receiver

REMOTE = IceCredentials("viewer", "v" * 24)
FINGERPRINTS = (("sha-256", ":".join(["AB"] * 32)),)
OFFER_BYTES = 100_000
HANG_S = 10
Connect = Callable[..., Awaitable["Client"]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens clients, and closes them after the test."""
    opened: list[Client] = []

    async def connect(endpoint: Endpoint, family: int = socket.AF_INET) -> Client:
        client = Client(endpoint, family)
        opened.append(client)
        await client.bind()
        return client

    yield connect
    for client in opened:
        client.sock.close()


class Client:
    """A viewer's ICE agent, as much as tests need."""

    def __init__(self, endpoint: Endpoint, family: int = socket.AF_INET) -> None:
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.to = (host, endpoint.port)
        self.sock = trio.socket.socket(family, socket.SOCK_DGRAM)
        self._host = host

    @property
    def address(self) -> str:
        host, port = self.sock.getsockname()[:2]
        return f"{host}:{port}"

    async def bind(self) -> None:
        await self.sock.bind((self._host, 0))

    async def check(
        self, peer: Peer, *, password: str | None = None, ufrag: str | None = None, nominate: bool = True
    ) -> bytes:
        """Send a Binding request; returns its transaction id."""
        transaction_id = bytes(11) + bytes([self.sock.fileno() & 0xFF])
        request = stun.build_binding_request(
            transaction_id,
            f"{ufrag or peer.local.ufrag}:{REMOTE.ufrag}",
            (password or peer.local.pwd).encode(),
            priority=1,
            tie_breaker=1,
            use_candidate=nominate,
        )
        await self.sock.sendto(request, self.to)
        return transaction_id

    async def join(self, peer: Peer, *, nominate: bool = True) -> None:
        """Check, and answer the check that comes back."""
        await self.check(peer, nominate=nominate)
        assert (await self.receive()).message_type == stun.BINDING_SUCCESS
        await self.answer(await self.receive())
        await _settle()

    async def receive(self) -> stun.StunMessage:
        with trio.fail_after(HANG_S):
            return stun.parse_stun_untrusted(await self.sock.recv(2048))

    async def answer(self, request: stun.StunMessage) -> None:
        await self.sock.sendto(stun.build_binding_success(request, self.to, REMOTE.pwd.encode()), self.to)


def _add(endpoint: Endpoint, host: str = "127.0.0.1") -> Peer:
    """Add a viewer whose offer came from `host`."""
    offer = OfferCredit(host, OFFER_BYTES)
    return endpoint.add_peer("front", Stream("front"), HeaderProfile(96), REMOTE, FINGERPRINTS, offer=offer)


async def _settle() -> None:
    await trio.testing.wait_all_tasks_blocked(0.02)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_a_check_is_answered_and_checked_back(connect: Connect, family: int) -> None:
    async with running_endpoint() as endpoint:
        client = await connect(endpoint, family)
        peer = _add(endpoint, client.to[0])
        transaction_id = await client.check(peer)
        answer = await client.receive()
        assert answer.message_type == stun.BINDING_SUCCESS
        assert answer.transaction_id == transaction_id
        assert answer.has_integrity(peer.local.pwd.encode())
        assert stun.read_mapped_address(answer) == client.sock.getsockname()[:2]
        check = await client.receive()
        assert check.message_type == stun.BINDING_REQUEST
        assert check.username == f"{REMOTE.ufrag}:{peer.local.ufrag}"
        assert check.has_integrity(REMOTE.pwd.encode())
        assert peer.state is PeerState.CHECKED


async def test_each_check_is_answered_from_the_address_that_it_was_sent_to(connect: Connect) -> None:
    """A viewer tries all our addresses from one of its own; an answer from another one of ours counts for nothing."""
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        client = await connect(endpoint)
        for host in ("127.0.0.2", "127.0.0.1", "127.0.0.3", "127.0.0.1", "127.0.0.2"):
            client.to = (host, endpoint.port)
            await client.check(peer, nominate=False)
            with trio.fail_after(HANG_S):
                for kind in (stun.BINDING_SUCCESS, stun.BINDING_REQUEST):
                    data, source = await client.sock.recvfrom(2048)
                    assert stun.parse_stun_untrusted(data).message_type == kind
                    assert source == (host, endpoint.port)
        assert len(peer.paths) == 3


async def test_strangers_get_no_answer_and_are_counted(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        client = await connect(endpoint)
        await client.check(peer, password="not the password at all")
        await client.check(peer, ufrag="nobody")
        for datagram in (b"", b"\x00", b"\x16" * 50, b"\x80" * 50, b"\xff" * 2000, bytes(20)):
            await client.sock.sendto(datagram, ("127.0.0.1", endpoint.port))
        await _settle()
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.05):
            await client.sock.recv(2048)
        assert peer.state is PeerState.NEW
        statistics = endpoint.statistics()
        assert statistics.datagrams_unknown >= 4
        assert statistics.stun_malformed == 2
        # The one who may is served as ever.
        await client.check(peer)
        assert (await client.receive()).message_type == stun.BINDING_SUCCESS


async def test_an_address_that_another_viewer_uses_cannot_be_claimed(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        victim, attacker = _add(endpoint), _add(endpoint)
        client = await connect(endpoint)
        await client.check(victim)
        await client.receive()
        await client.receive()
        await client.check(attacker)
        await _settle()
        assert attacker.state is PeerState.NEW
        assert not attacker.paths


async def test_a_viewer_who_wanders_keeps_its_newest_addresses_and_the_one_in_use(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        home = await connect(endpoint)
        await home.join(peer)
        for _ in range(MAX_PATHS + 4):
            client = await connect(endpoint)
            await client.check(peer, nominate=False)
            assert (await client.receive()).message_type == stun.BINDING_SUCCESS
        ours = socket.inet_aton("127.0.0.1")
        keys = [(socket.AF_INET, c.sock.getsockname(), ours) for c in (home, client)]
        assert len(peer.paths) == MAX_PATHS
        assert all(key in peer.paths for key in keys)
        assert set(endpoint._by_path) == set(peer.paths)


async def test_checks_have_a_budget(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer, other = _add(endpoint), _add(endpoint)
        watcher = await connect(endpoint)
        check = stun.build_binding_request(
            bytes(12), f"{peer.local.ufrag}:{REMOTE.ufrag}", peer.local.pwd.encode(), priority=1, tie_breaker=1
        )
        # Straight to the dispatch: through a socket, a slow machine would give the budget time to recover.
        for _ in range(3 * CHECK_BURST):
            endpoint._dispatch_untrusted(endpoint._sockets[0], check, [], ("127.0.0.1", 40_000))
        assert endpoint.statistics().datagrams_unknown > 0
        await watcher.check(other)
        assert (await watcher.receive()).message_type == stun.BINDING_SUCCESS


CLIENT_HELLO = bytes((22,)) + bytes(40)


async def test_media_moves_only_to_an_address_that_answers(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        home, elsewhere = await connect(endpoint), await connect(endpoint)
        await home.join(peer)
        await home.sock.sendto(CLIENT_HELLO, ("127.0.0.1", endpoint.port))
        await _settle()
        peer.viewer = _StandIn()  # type: ignore[assignment]
        before = peer.address
        await elsewhere.check(peer)
        assert (await elsewhere.receive()).message_type == stun.BINDING_SUCCESS
        request = await elsewhere.receive()
        assert request.message_type == stun.BINDING_REQUEST
        assert peer.address == before, "a check alone, whose source can be forged, must not move the media"
        forged = stun.build_binding_success(request, ("127.0.0.1", 1), b"not the viewer's password")
        await elsewhere.sock.sendto(forged, ("127.0.0.1", endpoint.port))
        await _settle()
        assert peer.address == before
        await elsewhere.answer(request)
        await _settle()
        assert peer.address == elsewhere.address
        peer.viewer = None


async def test_an_answer_counts_however_often_the_viewer_has_checked_meanwhile(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        home, elsewhere = await connect(endpoint), await connect(endpoint)
        await home.join(peer)
        await home.sock.sendto(CLIENT_HELLO, ("127.0.0.1", endpoint.port))
        await _settle()
        peer.viewer = _StandIn()  # type: ignore[assignment]
        for _ in range(4):
            await elsewhere.check(peer)
        received = [await elsewhere.receive() for _ in range(8)]
        await elsewhere.answer(next(m for m in received if m.message_type == stun.BINDING_REQUEST))
        await _settle()
        assert peer.address == elsewhere.address
        peer.viewer = None


async def test_a_forged_check_during_the_handshake_turns_nothing_on_a_bystander(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        viewer, bystander = await connect(endpoint), await connect(endpoint)
        await viewer.join(peer)
        await viewer.sock.sendto(CLIENT_HELLO, ("127.0.0.1", endpoint.port))
        await _settle()
        await bystander.check(peer)
        await bystander.sock.sendto(CLIENT_HELLO, ("127.0.0.1", endpoint.port))
        await _settle()
        assert peer.address == viewer.address


async def test_the_handshake_is_answered_where_it_comes_from(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        first, second = await connect(endpoint), await connect(endpoint)
        await first.join(peer)
        await second.join(peer, nominate=False)
        await second.sock.sendto(CLIENT_HELLO, ("127.0.0.1", endpoint.port))
        await _settle()
        assert peer.address == second.address


async def test_garbage_in_place_of_srtcp_is_dropped_within_a_budget(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        client = await connect(endpoint)
        await client.check(peer)
        peer.viewer = Receiver(peer.ssrc).viewer
        for size in (1, 7, 8, 40, 1_499, 1_500, 1_501, 2_048):
            for first in (b"\x80", b"\x81\xc8", b"\xbf\xff"):
                await client.sock.sendto(first.ljust(size, b"\xa5"), ("127.0.0.1", endpoint.port))
        await _settle()
        assert "internal error" not in caplog.text
        peer.viewer = None


async def test_a_failed_task_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        peer._dtls.handshake = None  # type: ignore[method-assign, assignment]
        assert await peer.wait_closed() == "internal error"
        assert "a viewer's task failed" in caplog.text


class _StandIn:
    """Takes the place of the sending state: only its route matters here."""

    route: Route | None = None


async def test_ice_restart_takes_new_and_present_credentials_but_no_older_ones(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        client = await connect(endpoint)
        ufrags = [peer.local]
        for _ in range(2):
            endpoint.restart_ice(peer, REMOTE)
            ufrags.append(peer.local)
        assert len({credentials.ufrag for credentials in ufrags}) == 3
        await client.check(peer, ufrag=ufrags[0].ufrag, password=ufrags[0].pwd)
        await _settle()
        assert peer.state is PeerState.NEW
        await client.check(peer, ufrag=ufrags[1].ufrag, password=ufrags[1].pwd)
        assert (await client.receive()).has_integrity(ufrags[1].pwd.encode())


async def test_connections_of_no_viewer_any_more_are_closed() -> None:
    """Those of a path that was forgotten for newer ones, and all when the viewer is gone; both after what was sent."""
    async with running_endpoint(tcp=True) as endpoint, AsyncExitStack() as opened:
        peer = _add(endpoint)
        check = stun.build_binding_request(
            bytes(12), f"{peer.local.ufrag}:{REMOTE.ufrag}", peer.local.pwd.encode(), priority=1, tie_breaker=1
        )
        streams = []
        with trio.fail_after(HANG_S):
            for _ in range(MAX_PATHS + 4):
                streams.append(await opened.enter_async_context(await trio.open_tcp_stream("127.0.0.1", endpoint.port)))
                await streams[-1].send_all(framed([check], 0))
                assert await streams[-1].receive_some()
            # The first one is in use.
            for stream in streams[1:5]:
                await _read_to_the_end(stream)
            assert endpoint.tcp.connections == len(peer.paths) == MAX_PATHS
            peer.leave("it may no more")
            for stream in streams:
                await _read_to_the_end(stream)
            assert endpoint.tcp.connections == 0


async def _read_to_the_end(stream: trio.abc.ReceiveStream) -> None:
    while await stream.receive_some():
        pass


async def test_leaving_and_shutdown_give_a_reason_and_forget_the_viewer() -> None:
    async with running_endpoint() as endpoint:
        first, second = _add(endpoint), _add(endpoint)
        await _settle()
        first.leave("the viewer left")
        assert await first.wait_closed() == "the viewer left"
        await _settle()
        assert endpoint.peer(first.session_id) is None
        assert endpoint.viewer_count == 1
    assert second.closed_reason == "camgate is shutting down"
    assert second.state is PeerState.CLOSED
    assert endpoint.viewer_count == 0


async def test_a_viewer_who_left_is_freed_at_once(connect: Connect) -> None:
    gc.disable()
    try:
        async with running_endpoint() as endpoint:
            peer = _add(endpoint)
            await (await connect(endpoint)).check(peer)
            await _settle()
            left = weakref.ref(peer)
            peer.leave("the viewer left")
            await peer.wait_closed()
            del peer
            await _settle()
            assert left() is None
    finally:
        gc.enable()


async def test_viewers_leave_when_their_stream_ends(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        stream = Stream("front")
        peer = endpoint.add_peer("front", stream, HeaderProfile(96), REMOTE, FINGERPRINTS)
        endpoint.sender(stream).add(Receiver(peer.ssrc).viewer)
        await _settle()
        stream.close()
        with trio.fail_after(HANG_S):
            assert await peer.wait_closed() == "the stream ended"


async def test_a_bug_that_one_datagram_finds_disturbs_nobody(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_endpoint() as endpoint:
        broken, watcher = _add(endpoint), _add(endpoint)
        client, other = await connect(endpoint), await connect(endpoint)
        broken.receive_check_untrusted = None  # type: ignore[method-assign, assignment]
        await client.check(broken)
        await other.check(watcher)
        assert (await other.receive()).message_type == stun.BINDING_SUCCESS
        assert "a datagram was dropped" in caplog.text


async def test_silence_ends_a_viewer() -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        now = trio.current_time()
        peer.check_silence(now + SILENCE_TIMEOUT_S - 1)
        assert not peer.closed_reason
        peer.check_silence(now + SILENCE_TIMEOUT_S + 1)
        assert "never connected" in await peer.wait_closed()


async def test_a_sender_at_rest_ends_with_its_camera(autojump_clock: trio.testing.MockClock) -> None:
    async with running_endpoint() as endpoint:
        stream = Stream("front")
        endpoint.sender(stream)
        await trio.sleep(5)
        assert [each.name for each in endpoint.sender_statistics()] == ["front"]
        stream.close()
        await trio.sleep(2)
        assert endpoint.sender_statistics() == []
        assert endpoint.statistics().senders == 0


async def test_what_is_kept_shows_in_statistics(connect: Connect) -> None:
    async with running_endpoint() as endpoint:
        peer = _add(endpoint)
        assert endpoint.statistics().tasks_to_start > 0
        await _settle()
        client = await connect(endpoint)
        await client.check(peer)
        await client.receive()
        statistics = endpoint.statistics()
        assert (statistics.viewers, statistics.paths, statistics.senders) == (1, 1, 1)
        assert (statistics.tasks_to_start, statistics.steps_waiting) == (0, 0)
        [snapshot] = endpoint.peer_statistics()
        assert (snapshot.paths, snapshot.records_waiting) == (1, 0)
        for _ in range(3):
            peer._dtls.receive_datagram(b"\x16" * 60)
        assert endpoint.peer_statistics()[0].records_waiting == 2, "its task has the first one"


def test_states_are_total_and_end() -> None:
    assert set(TRANSITIONS) == set(PeerState)
    assert TRANSITIONS[PeerState.CLOSED] == frozenset()
    assert all(PeerState.CLOSED in after for state, after in TRANSITIONS.items() if state is not PeerState.CLOSED)


async def test_a_taken_port_is_an_oserror() -> None:
    taken = UdpSocket.bind(socket.AF_INET, "0.0.0.0", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            Endpoint().bind(taken.sock.getsockname()[1])
    finally:
        taken.sock.close()


async def test_viewers_whose_stream_becomes_what_they_did_not_ask_for_are_closed() -> None:
    async with running_endpoint() as endpoint:
        stream = Stream("front")
        peers = [endpoint.add_peer("front", stream, HeaderProfile(96), REMOTE, FINGERPRINTS) for _ in range(2)]
        peers[0].misfit = lambda video: f"it sends {video.label} now"
        elsewhere = _add(endpoint)
        elsewhere.misfit = peers[0].misfit
        sender = endpoint.sender(stream)
        assert sender.on_format is not None
        sender.on_format(H265_FORMAT)
        with trio.fail_after(HANG_S):
            assert await peers[0].wait_closed() == "it sends H.265 Main now"
        assert [peer.closed_reason for peer in (peers[1], elsewhere)] == ["", ""]
