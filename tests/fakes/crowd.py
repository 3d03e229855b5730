"""Viewers of one endpoint without sockets: datagrams go straight to its dispatch, and what it sends to inboxes."""

import socket
from collections import defaultdict
from collections.abc import Sequence

import pylibsrtp
import trio

from camgate.relay.stream import Stream
from camgate.serve.datagrams import Address, Ancillary, Route
from camgate.serve.webrtc.dtls import SrtpKeys
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.peer import IceCredentials, Sound
from camgate.wire.ice import stun
from camgate.wire.rtp import rtcp
from tests.fakes.receiver import Receiver, srtp_keys, srtp_session

REMOTE = IceCredentials("viewer", "v" * 24)
CLIENT_HELLO = b"\x16\xfe\xff" + bytes(60)
FINGERPRINTS = (("sha-256", ":".join(["AB"] * 32)),)


class FakePort:
    """Stands for the endpoint's `UdpSocket`: `inboxes` holds what was sent to each address, and when."""

    number = int(socket.AF_INET)
    is_tcp = False

    def __init__(self) -> None:
        self.inboxes: dict[Address, list[tuple[float, bytes]]] = defaultdict(list)

    def send(self, buffers: Sequence[bytes | memoryview], segment_bytes: int, route: Route) -> bool:
        data = b"".join(buffers)
        size = segment_bytes or len(data)
        now = trio.current_time()
        self.inboxes[route.address] += [(now, data[i : i + size]) for i in range(0, len(data), size)]
        return True

    def route_to(self, address: Address, received: Ancillary) -> Route:
        return Route(self, address, [])


class CountingSession:
    """An inbound SRTP session that counts what it was tried on."""

    def __init__(self, session: pylibsrtp.Session) -> None:
        self.tried = 0
        self._session = session

    def unprotect_rtcp(self, data: bytes) -> bytes:
        self.tried += 1
        opened: bytes = self._session.unprotect_rtcp(data)
        return opened


class Person:
    """One viewer who has checked and shaken hands, and knows its keys."""

    def __init__(
        self,
        endpoint: Endpoint,
        port: FakePort,
        stream: Stream,
        address: tuple[str, int],
        sound: Sound | None = None,
    ) -> None:
        self.address = address
        self.media_times: list[float] = []
        """When something of the video came."""
        self.answers = 0
        """To its checks."""
        self.repeats = 0
        """Datagrams that came more than once."""
        self._seen: set[bytes] = set()
        self._endpoint = endpoint
        self._port = port
        self.peer = endpoint.add_peer("front", stream, HeaderProfile(96), REMOTE, FINGERPRINTS, sound)
        self.receiver = Receiver(self.peer.ssrc)
        self.session = CountingSession(self.receiver._session)
        self._keys = srtp_keys(self.session)  # type: ignore[arg-type]
        self._sealing = srtp_session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._number = 0

        async def shake_hands() -> SrtpKeys:
            return self._keys

        self.peer._dtls.handshake = shake_hands  # type: ignore[method-assign]
        self.send(self.check())
        self.answer_checks()
        # The first of a handshake's datagrams settles the address that media go to.
        self.send(CLIENT_HELLO)

    def send(self, datagram: bytes, source: tuple[str, int] | None = None) -> None:
        """Let the endpoint receive a datagram, from this viewer's address or another one."""
        self._endpoint._dispatch_untrusted(self._port, datagram, [], source or self.address)  # type: ignore[arg-type]

    def check(self, password: str | None = None) -> bytes:
        """Make the next connectivity check."""
        self._number += 1
        return stun.build_binding_request(
            self._number.to_bytes(12, "big"),
            f"{self.peer.local.ufrag}:{REMOTE.ufrag}",
            (password or self.peer.local.pwd).encode(),
            priority=1,
            tie_breaker=1,
            use_candidate=True,
            controlling=True,
        )

    def answer_checks(self) -> None:
        """Answer the endpoint's checks that have come, and leave all else to be read."""
        for _, datagram in tuple(self._port.inboxes[self.address]):
            if datagram[0] < 4:
                message = stun.parse_stun_untrusted(datagram)
                if message.message_type == stun.BINDING_REQUEST:
                    self.send(stun.build_binding_success(message, self.address, REMOTE.pwd.encode()))

    def seal(self, packet: bytes) -> bytes:
        """Make SRTCP of RTCP; never twice the same."""
        sealed: bytes = self._sealing.protect_rtcp(packet)
        return sealed

    def read(self) -> None:
        """Open what came since the last call."""
        for now, datagram in self._port.inboxes.pop(self.address, ()):
            if datagram in self._seen:
                self.repeats += 1
            elif datagram[0] >= 128:
                self._seen.add(datagram)
                self.receiver.socket.datagrams.append(datagram)
                self.media_times.append(now)
            elif stun.parse_stun_untrusted(datagram).message_type == stun.BINDING_SUCCESS:
                self.answers += 1
        self.receiver.take()

    async def watch(self) -> None:
        """Do as browsers do while they watch: a check each 2.5 s, a report each second."""
        for half_second in range(1 << 62):
            await trio.sleep(0.5)
            if half_second % 5 == 0:
                self.send(self.check())
            if half_second % 2 == 0:
                self.send(self.seal(rtcp.build_receiver_report(1)))
