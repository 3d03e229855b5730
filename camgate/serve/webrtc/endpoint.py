"""The one UDP port that all viewers share: who sent a datagram, and whose it is.

STUN is recognised by the user name fragment that we gave the viewer; a check with valid integrity teaches us its
address. DTLS and SRTCP are taken from learned addresses only, and told apart by their first byte (RFC 7983). The
endpoint owns the readers, the senders' and the peers' tasks.
"""

import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import trio

from camgate.base.log import get_logger
from camgate.load.sending import SendingMeter
from camgate.relay.audio import AudioStream
from camgate.relay.stream import Stream
from camgate.serve.datagrams import Address, Ancillary, PacketSocket, PathKey, Route, UdpSocket, local_address
from camgate.serve.webrtc.attention import Attention
from camgate.serve.webrtc.audio import AudioSender
from camgate.serve.webrtc.dtls import Certificate
from camgate.serve.webrtc.failures import Failures, in_words
from camgate.serve.webrtc.flood import FloodWatch
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.path import OfferCredit
from camgate.serve.webrtc.peer import IceCredentials, Peer, PeerStatistics, Sound
from camgate.serve.webrtc.public_address import StunQuestions
from camgate.serve.webrtc.sender import Sender, SenderStatistics
from camgate.serve.webrtc.tally import Tally
from camgate.serve.webrtc.tcp import TcpSide
from camgate.serve.webrtc.turns import Turns
from camgate.wire.codec.format import VideoFormat
from camgate.wire.ice import stun

log = get_logger("webrtc.endpoint")

MAX_DATAGRAM_BYTES = 2_048
READ_TURN_S = 0.0005
"""Reading in one go before other tasks get their turn: half of what a sender takes, so that a flood of datagrams costs
the senders a third of the processor at the most."""
SWEEP_INTERVAL_S = 1.0
ADDRESS_HELD_S = 5.0
"""An address belongs to the viewer that was heard from it so lately: checks come each 2.5 s at the least."""
_ANCILLARY_BYTES = 64
FREE_PORT_TRIES = 10

MakeRoute = Callable[[], Route]


@dataclass(frozen=True, slots=True)
class EndpointStatistics:
    """Counters since the start."""

    viewers: int
    datagrams_received: int
    datagrams_unknown: int
    """From nobody we know: no or wrong user name fragment, wrong integrity, unlearned address. Or above a budget."""
    datagrams_lost: int
    """That the kernel had no room for, as more came than we read."""
    stun_malformed: int
    viewers_cut_off: int
    """Sent away, as they flooded us."""
    send_full: int
    send_errors: int
    tcp_connections: int
    tcp_refused: int
    """Too many of them had shown no check yet."""
    paths: int
    """Pairs of a viewer's and an own address that we know now."""
    senders: int
    """Streams that were watched since their camera was added."""
    tasks_to_start: int
    steps_waiting: int
    """Of joins, for their turn."""


class Endpoint:
    """All WebRTC viewers of this process.

    Open it with `run`; `add_peer` may be called once `run` has reported itself started.
    """

    def __init__(self) -> None:
        self.port = 0
        self.sending = SendingMeter()
        self.failures = Failures()
        self.tally = Tally()
        self.questions = StunQuestions(self._send_to)
        self._certificate = Certificate()
        self.turns = Turns()
        self._attention = Attention()
        self._sockets: list[UdpSocket] = []
        self.tcp = TcpSide(self._take_untrusted, self._by_path_has, self._lose_path)
        self._by_ufrag: dict[str, Peer] = {}
        self._by_path: dict[PathKey, Peer] = {}
        self._by_session: dict[str, Peer] = {}
        self._senders: dict[Stream, Sender] = {}
        self._audio_senders: dict[AudioStream, AudioSender] = {}
        # Unbounded on purpose: `add_peer` must not wait, and the number of viewers is bounded before it is called.
        self._starting, self._to_start = trio.open_memory_channel[Callable[[], Awaitable[None]]](float("inf"))
        self._received = self._unknown = self._malformed = self._cut_off = 0

    def bind(self, port: int, *, tcp: bool = False) -> None:
        """Bind UDP `port` (0 = any free one) on all addresses, IPv4 and where there is IPv6 that too.

        tcp: listen on the TCP port of the same number as well. Raises OSError when a port is taken.
        """
        for tries_left in reversed(range(1 if port else FREE_PORT_TRIES)):
            first = UdpSocket.bind(socket.AF_INET, "0.0.0.0", port)
            self._sockets = [first]
            self.port = first.sock.getsockname()[1]
            try:
                if tcp:
                    self.tcp.bind(self.port)
                break
            except OSError:
                # What is free by UDP need not be so by TCP.
                self.close()
                if not tries_left:
                    raise
        if socket.has_ipv6:
            try:
                self._sockets.append(UdpSocket.bind(socket.AF_INET6, "::", self.port))
            except OSError as exc:
                log.info("no IPv6 for viewers", error=exc.strerror)

    def close(self) -> None:
        """Close the sockets."""
        for udp in self._sockets:
            udp.sock.close()
        self._sockets = []
        self.tcp.close()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; then each viewer is told (BYE, close_notify). `bind` comes first."""
        async with trio.open_nursery() as nursery:
            for udp in self._sockets:
                nursery.start_soon(self._read, udp)
            nursery.start_soon(self.tcp.run)
            nursery.start_soon(self._sweep)
            task_status.started()
            while True:
                # In no variable, which would keep the last viewer until the next one comes.
                nursery.start_soon(await self._to_start.receive())

    def _send_to(self, datagram: bytes, address: Address) -> bool:
        family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
        for udp in self._sockets:
            if udp.family == family:
                return Route(udp, address, []).send(datagram)
        return False

    @property
    def viewer_count(self) -> int:
        """Viewers that are connected or connecting."""
        return len(self._by_session)

    def viewers_by_transport(self) -> dict[str, int]:
        """Count viewers by what they are reached by; `connecting` are those who have no keys yet."""
        counts = dict.fromkeys(("udp", "tcp", "connecting"), 0)
        for peer in self._by_session.values():
            transport = None if peer.viewer is None else peer.transport
            counts[transport or "connecting"] += 1
        return counts

    def sender(self, stream: Stream) -> Sender:
        """Return the sender of a stream, started with its first use."""
        sender = self._senders.get(stream)
        if sender is None:
            sender = self._senders[stream] = Sender(stream, self.sending, self._attention, self.turns)
            sender.on_format = lambda video: self._check_format(sender, video)
            self._starting.send_nowait(lambda: self._run_sender(sender))
        return sender

    def _check_format(self, sender: Sender, video: VideoFormat) -> None:
        for peer in self.peers():
            if peer.is_sent_by(sender):
                peer.check_format(video)

    def senders(self) -> Iterator[Sender]:
        """All streams' senders."""
        return iter(tuple(self._senders.values()))

    async def _run_sender(self, sender: Sender) -> None:
        try:
            await sender.run()
        except Exception:
            log.exception(
                "internal error: a stream's sender failed, its viewers must connect again", camera=sender.name
            )
        finally:
            del self._senders[sender.stream]
        for peer in self.peers():
            if peer.is_sent_by(sender):
                peer.leave("the stream ended")

    def audio_sender(self, stream: AudioStream) -> AudioSender:
        """Return the sender of an audio stream, started with its first use."""
        sender = self._audio_senders.get(stream)
        if sender is None:
            sender = self._audio_senders[stream] = AudioSender(stream, self.sending, self.turns)
            self._starting.send_nowait(lambda: self._run_audio_sender(sender))
        return sender

    async def _run_audio_sender(self, sender: AudioSender) -> None:
        try:
            await sender.run()
        except Exception:
            log.exception("internal error: a stream's sound failed, its viewers hear no more", camera=sender.name)
        finally:
            del self._audio_senders[sender.stream]
        for peer in self.peers():
            peer.end_sound(sender)

    def add_peer(
        self,
        camera: str,
        stream: Stream,
        profile: HeaderProfile,
        remote: IceCredentials,
        fingerprints: tuple[tuple[str, str], ...],
        sound: Sound | None = None,
        offer: OfferCredit | None = None,
    ) -> Peer:
        """Take in a viewer and start its task; it has the handshake's time to connect.

        offer: what its offer allows us to send before its address is proven.
        """
        certificate = self._certificate.current()
        peer = Peer(camera, self.sender(stream), profile, remote, fingerprints, certificate, self.turns, sound, offer)
        self._by_session[peer.session_id] = peer
        self._by_ufrag[peer.local.ufrag] = peer
        self._starting.send_nowait(lambda: self._run_peer(peer))
        self._attention.call()
        return peer

    async def _run_peer(self, peer: Peer) -> None:
        try:
            await peer.run()
        except Exception:
            log.exception("internal error: a viewer's task failed", camera=peer.camera, session=peer.label)
        finally:
            self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        self._cut_off += peer.was_cut_off
        self._note_failure(peer)
        self.tally.say_goodbye(peer)
        del self._by_session[peer.session_id]
        for ufrag in peer.ufrags():
            self._by_ufrag.pop(ufrag, None)
        for key in peer.paths:
            self._release(peer, key)

    def _note_failure(self, peer: Peer) -> None:
        failure = peer.failure
        if failure is None:
            return
        self.failures.count(failure)
        log.warning(
            "a viewer could not connect",
            camera=peer.camera,
            session=peer.label,
            seen=in_words(failure, f"{'UDP and TCP' if self.tcp.is_listening else 'UDP'} port {self.port}", peer.age_s),
            address=peer.address,
            told=" ".join(peer.addresses),
        )

    def peer(self, session_id: str) -> Peer | None:
        """Find a viewer by its session."""
        return self._by_session.get(session_id)

    def peers(self) -> Iterator[Peer]:
        """All viewers."""
        return iter(tuple(self._by_session.values()))

    def restart_ice(self, peer: Peer, remote: IceCredentials) -> None:
        """Give a viewer new ICE credentials; checks with the last ones still count."""
        self._attention.call()
        before = set(peer.ufrags())
        peer.restart_ice(remote)
        after = set(peer.ufrags())
        for ufrag in before - after:
            self._by_ufrag.pop(ufrag, None)
        for ufrag in after:
            self._by_ufrag[ufrag] = peer

    async def _read(self, udp: UdpSocket) -> None:
        while True:
            await trio.lowlevel.wait_readable(udp.sock)
            self._drain(udp)
            await self._attention.rest(lambda: self._drain(udp))

    def _drain(self, udp: UdpSocket) -> None:
        receive, clock = udp.sock.recvmsg, time.perf_counter
        until = clock() + READ_TURN_S
        while clock() < until:
            try:
                data, ancillary, _, address = receive(MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError as exc:
                # An ICMP error of an earlier send is reported here; it concerns one viewer, who will fall silent.
                log.debug("receive failed", error=exc.strerror)
                continue
            self._received += 1
            try:
                self._dispatch_untrusted(udp, data, ancillary, address)
            except Exception:
                # All viewers hang on this task: a bug that one datagram finds must not end it.
                log.exception("internal error: a datagram was dropped", bytes=len(data), address=address[0])
        # More came than one turn can read: looking at it now and then will not do.
        self._attention.call()

    def _take_untrusted(self, channel: PacketSocket, data: bytes, ancillary: Ancillary, address: Address) -> None:
        """Take a packet that came by TCP."""
        self._received += 1
        self._dispatch_untrusted(channel, data, ancillary, address)

    def _by_path_has(self, key: PathKey) -> bool:
        return key in self._by_path

    def _lose_path(self, key: PathKey) -> None:
        """A connection has ended that was a viewer's way."""
        peer = self._by_path.pop(key, None)
        if peer is not None:
            peer.lose_path(key)

    def _dispatch_untrusted(self, udp: PacketSocket, data: bytes, ancillary: Ancillary, address: Address) -> None:
        # RFC 7983 section 7: STUN 0-3, DTLS 20-63, RTP and RTCP 128-191; RFC 5761 section 4: of these RTCP has a
        # second byte of 192-223, and no viewer sends RTP.
        first = data[0] if data else 255
        if first < 4:
            self._receive_stun_untrusted(udp, data, ancillary, address)
            return
        key = (udp.number, address, local_address(ancillary))
        peer = self._by_path.get(key)
        if peer is None:
            self._unknown += 1
        elif 20 <= first <= 63:
            peer.receive_dtls_untrusted(data, peer.paths[key])
        elif 128 <= first <= 191 and len(data) > 1 and 192 <= data[1] <= 223:
            peer.receive_srtcp_untrusted(data)

    def _receive_stun_untrusted(self, udp: PacketSocket, data: bytes, ancillary: Ancillary, address: Address) -> None:
        try:
            message = stun.parse_stun_untrusted(data)
        except stun.StunMalformed:
            self._malformed += 1
            return
        key = (udp.number, address, local_address(ancillary))
        if message.message_type == stun.BINDING_REQUEST:
            self._receive_check_untrusted(message, key, lambda: udp.route_to(address, ancillary))
            return
        peer = self._by_path.get(key)
        if peer is not None:
            peer.receive_check_answer_untrusted(message, peer.paths[key])
        elif self.questions.are_open:
            self.questions.receive_untrusted(message, address)

    def _receive_check_untrusted(self, message: stun.StunMessage, key: PathKey, make_route: MakeRoute) -> None:
        peer = self._by_ufrag.get(message.username.partition(":")[0])
        if peer is None or not self._may_claim(peer, key):
            self._unknown += 1
            return
        path = peer.receive_check_untrusted(message, peer.paths.get(key), make_route)
        if path is None:
            self._unknown += 1
            return
        # The most recently heard one last.
        peer.paths.pop(key, None)
        peer.paths[key] = path
        self._by_path[key] = peer
        self._release(peer, peer.forget_old_path())

    def _may_claim(self, peer: Peer, key: PathKey) -> bool:
        """Say whether a peer may check from an address: not from one that another just used."""
        owner = self._by_path.get(key)
        return owner is peer or owner is None or not owner.heard_within(ADDRESS_HELD_S)

    def _release(self, peer: Peer, key: PathKey | None) -> None:
        if key is not None and self._by_path.get(key) is peer:
            del self._by_path[key]
            self.tcp.hang_up(key)

    async def _sweep(self) -> None:
        watch = FloodWatch(trio.current_time())
        while True:
            await trio.sleep(SWEEP_INTERVAL_S)
            now = trio.current_time()
            watch.look(now, self._unknown + self._malformed, self._lost())
            for peer in self.peers():
                peer.check_silence(now, watch.silence_timeout_s(now))
            for sender in self.senders():
                sender.look_for_end()
            for audio_sender in tuple(self._audio_senders.values()):
                audio_sender.look_for_end()

    def _lost(self) -> int:
        return sum(udp.lost() for udp in self._sockets)

    def statistics(self) -> EndpointStatistics:
        """Take a snapshot of the counters."""
        return EndpointStatistics(
            len(self._by_session),
            self._received,
            self._unknown,
            self._lost(),
            self._malformed,
            self._cut_off,
            sum(udp.send_full for udp in self._sockets),
            sum(udp.send_errors for udp in self._sockets),
            self.tcp.connections,
            self.tcp.refused,
            len(self._by_path),
            len(self._senders),
            self._to_start.statistics().current_buffer_used,
            self.turns.waiting,
        )

    def sender_statistics(self) -> list[SenderStatistics]:
        """Take a snapshot of every stream that is watched or was."""
        return [sender.statistics() for sender in self.senders()]

    def peer_statistics(self) -> list[PeerStatistics]:
        """Take a snapshot of every viewer."""
        return [peer.statistics() for peer in self.peers()]
