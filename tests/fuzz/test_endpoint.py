"""Whatever arrives on the UDP port, from strangers or from viewers, nothing is raised and a watcher goes on.

The peer's public entrances `receive_check_untrusted`, `receive_check_answer_untrusted`, `receive_dtls_untrusted` and
`receive_srtcp_untrusted` are reached through the endpoint's dispatch, as in life.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.stream import Stream
from camgate.serve.datagrams import UdpSocket
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.peer import IceCredentials, Peer, PeerState
from camgate.wire.ice import stun
from camgate.wire.rtp import rtcp
from tests.fakes.receiver import Receiver
from tests.fuzz.reach import Reach

REMOTE = IceCredentials("viewer", "v" * 24)
FINGERPRINTS = (("sha-256", ":".join(["AB"] * 32)),)
HOME = ("127.0.0.1", 40_000)
STRANGER = ("127.0.0.1", 40_001)


class Scene:
    """An endpoint with one connected viewer at HOME, whose SRTCP keys the test holds."""

    def __init__(self, endpoint: Endpoint, udp: UdpSocket) -> None:
        self.endpoint = endpoint
        self.udp = udp
        stream = Stream("front")
        self.peer: Peer = endpoint.add_peer("front", stream, HeaderProfile(96), REMOTE, FINGERPRINTS)
        self.receiver = Receiver(self.peer.ssrc)
        self.dispatch(self.check(self.peer.local.pwd), HOME)
        assert self.peer.state is PeerState.CHECKED
        self.peer.viewer = self.receiver.viewer

    def check(self, password: str, *, ufrag: str | None = None) -> bytes:
        username = f"{ufrag or self.peer.local.ufrag}:{REMOTE.ufrag}"
        return stun.build_binding_request(bytes(12), username, password.encode(), priority=1, tie_breaker=1)

    def dispatch(self, data: bytes, address: tuple[str, int]) -> None:
        self.endpoint._dispatch_untrusted(self.udp, data, [], address)


@asynccontextmanager
async def _scene() -> AsyncIterator[Scene]:
    endpoint = Endpoint()
    endpoint.bind(0)
    udp = UdpSocket.bind(socket.AF_INET, "127.0.0.1", 0)
    try:
        yield Scene(endpoint, udp)
    finally:
        udp.sock.close()
        endpoint.close()


@st.composite
def _feedback(draw: st.DrawFn) -> bytes:
    """RTCP as a viewer may send it, some of it cut or scribbled over, to be sealed with the viewer's real keys."""
    sequences = draw(st.lists(st.integers(0, 65_535), min_size=1, max_size=40))
    media = draw(st.integers(0, 2**32 - 1))
    whole = draw(
        st.sampled_from(
            [
                rtcp.build_nack(1, media, sequences),
                rtcp.build_picture_loss_indication(1, media),
                rtcp.build_receiver_report(1),
                rtcp.build_bye(1),
            ]
        )
    )
    scribble = draw(st.binary(max_size=12))
    place = draw(st.integers(4, len(whole)))
    return whole if draw(st.booleans()) else whole[:place] + scribble


_DATAGRAMS = st.one_of(
    st.binary(max_size=1_500),
    # By first byte: STUN, DTLS, SRTP and SRTCP.
    st.tuples(st.sampled_from([0, 1, 20, 22, 23, 63, 128, 160, 191]), st.binary(max_size=300)).map(
        lambda parts: bytes(parts[:1]) + parts[1]
    ),
)


def test_dispatch_fuzz() -> None:
    reach = Reach("UDP port")

    @given(st.lists(st.tuples(_DATAGRAMS | _feedback(), st.sampled_from([HOME, STRANGER]), st.booleans()), max_size=8))
    def fuzz(arrivals: list[tuple[bytes, tuple[str, int], bool]]) -> None:
        async def run() -> None:
            async with _scene() as scene:
                for data, address, sealed in arrivals:
                    before = scene.endpoint.statistics()
                    if sealed and len(data) >= 8 and data[0] >> 6 == 2:
                        data = scene.receiver.viewer._keys.outbound.protect_rtcp(data)
                    scene.dispatch(data, address)
                    after = scene.endpoint.statistics()
                    strange = after.datagrams_unknown - before.datagrams_unknown + after.stun_malformed
                    reach.seen(strange == before.stun_malformed)
                scene.dispatch(scene.check(scene.peer.local.pwd), HOME)
                assert scene.peer.heard_within(1)
                assert not scene.peer.closed_reason

        trio.run(run)

    fuzz()
    reach.check()


@pytest.mark.parametrize(("password", "heard"), [(None, True), ("wrong" * 6, False)])
async def test_a_check_counts_only_with_the_password(password: str | None, heard: bool) -> None:
    async with _scene() as scene:
        before = scene.endpoint.statistics().datagrams_unknown
        scene.dispatch(scene.check(password or scene.peer.local.pwd), HOME)
        assert (scene.endpoint.statistics().datagrams_unknown == before) is heard
