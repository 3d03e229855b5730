"""One viewer's life: checked by ICE, keyed by DTLS, then watching until it leaves, falls silent or is sent away.

The endpoint owns the task that runs `Peer.run` and hands it every datagram of its addresses. ICE-lite (RFC 8445
section 2.5): we answer checks, and send to the address of the last one that nominates. These lines are one life.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum

import pylibsrtp
import trio
from aiortc.rtcdtlstransport import RTCCertificate

from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.serve.datagrams import PathKey, Route
from camgate.serve.webrtc import burst
from camgate.serve.webrtc.audio import AudioSender, Listener, ListenerStatistics
from camgate.serve.webrtc.budget import Allowance, Refused
from camgate.serve.webrtc.dtls import DtlsFailed, DtlsSession, sha256_fingerprint
from camgate.serve.webrtc.failures import GIVEN_UP_S, Failure
from camgate.serve.webrtc.flood import SILENCE_TIMEOUT_S
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.path import OfferCredit, Path
from camgate.serve.webrtc.sender import Sender
from camgate.serve.webrtc.turns import Turns
from camgate.serve.webrtc.viewer import Viewer, ViewerStatistics
from camgate.wire.codec.format import VideoFormat
from camgate.wire.ice import stun
from camgate.wire.rtp import rtcp
from camgate.wire.rtp.errors import RtcpMalformed

log = get_logger("webrtc.peer")

MAX_CONTROL_BYTES = 1_500
"""libsrtp's buffer in pylibsrtp; no browser sends a larger datagram."""
MAX_PATHS = 32
"""Addresses of one viewer that are remembered: a browser has one for each of its networks and of our addresses."""
_CHECK_PRIORITY = (110 << 24) | 0xFFFFFF  # RFC 8445 section 5.1.2.2: peer-reflexive


class PeerState(Enum):
    """Where a viewer is on its way."""

    NEW = "new"
    CHECKED = "checked"
    CONNECTED = "connected"
    CLOSED = "closed"


# What may follow what. A viewer goes straight on, and may end anywhere; nothing follows the end.
TRANSITIONS: dict[PeerState, frozenset[PeerState]] = {
    PeerState.NEW: frozenset({PeerState.CHECKED, PeerState.CLOSED}),
    PeerState.CHECKED: frozenset({PeerState.CONNECTED, PeerState.CLOSED}),
    PeerState.CONNECTED: frozenset({PeerState.CLOSED}),
    PeerState.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """A user name fragment and password (RFC 8839 section 5.4)."""

    ufrag: str
    pwd: str

    @classmethod
    def generate(cls) -> "IceCredentials":
        """Make our side of a session's credentials: at least 24 and 128 random bits (RFC 8445 section 5.3)."""
        # 64 bits, as the endpoint tells viewers apart by it: of 32 bits two among thousands would be equal some day.
        return cls(secrets.token_hex(8), secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class PeerStatistics:
    """A snapshot of one viewer; `media` is None until it is connected. refused: what went beyond its budgets."""

    label: str
    camera: str
    state: PeerState
    address: str | None
    transport: str | None
    """`udp` or `tcp`."""
    srtp_profile: str | None
    age_s: float
    refused: Refused
    paths: int
    """Addresses that it was heard from."""
    records_waiting: int
    """DTLS datagrams that its handshake has not looked at."""
    media: ViewerStatistics | None
    sound: ListenerStatistics | None
    """None, too, for a viewer without sound."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What sound a viewer is sent, and under which payload type of its offer."""

    sender: AudioSender
    payload_type: int


def _no_misfit(video: VideoFormat) -> None:
    return None


def _nothing() -> None:
    return None


class Peer:
    """One viewer of one camera.

    mid, addresses: what the answer said of its first section and of candidates, repeated when ICE restarts.
    misfit: says why a format of the stream is not what the answer promised; None where it is.
    on_gone: called once, when the session has ended.
    tallied: how many of its milestones have been counted.
    paths: the ways on which it has checked, the most recently heard one last. Each has an answer's source address of
    its own: a viewer takes an answer only from where it sent the check (RFC 8445 section 7.2.5.2.1).
    """

    def __init__(
        self,
        camera: str,
        sender: Sender,
        profile: HeaderProfile,
        remote: IceCredentials,
        fingerprints: tuple[tuple[str, str], ...],
        certificate: RTCCertificate,
        turns: Turns | None = None,
        sound: Sound | None = None,
        offer: OfferCredit | None = None,
    ) -> None:
        # Hexadecimal: `camgate viewer end` takes the first digits, which must not look like an option.
        self.session_id = secrets.token_hex(18)
        self.camera = camera
        self.ssrc = sender.ssrc
        self.fingerprint = sha256_fingerprint(certificate)
        self.mid = ""
        self.addresses: list[str] = []
        self.misfit: Callable[[VideoFormat], str | None] = _no_misfit
        self.on_gone: Callable[[], object] = _nothing
        self.local = IceCredentials.generate()
        self.state = PeerState.NEW
        self.closed_reason = ""
        self.viewer: Viewer | None = None
        self.paths: dict[PathKey, Path] = {}
        self._previous: IceCredentials | None = None
        self._remote = remote
        self._sender = sender
        self._sound = sound
        self._listener: Listener | None = None
        self._profile = profile
        self._offer = offer or OfferCredit()
        self._path: Path | None = None
        """The one in use, which is proven."""
        self._wanted: Path | None = None
        self._is_pinned = False
        self._dtls = DtlsSession(certificate, fingerprints, self._send, turns=turns)
        self._turns = turns
        self._tie_breaker = secrets.randbits(64)
        self._since_s = self._heard_s = trio.current_time()
        self._connected_s: float | None = None
        self.tallied = 0
        self._allowance = Allowance()
        self._said_dropping = False
        self._gave_up = self._was_refused = False
        self._srtp_profile: str | None = None
        self._watching = trio.CancelScope()
        self._gone = trio.Event()

    async def run(self) -> None:
        """Live: handshake, watch, say goodbye. Returns when the viewer is gone."""
        try:
            # From the handshake on, a camera on demand must not be hung up on: its stream is not subscribed to yet.
            with self._watching, self._sender.stream.wants.hold(), self._want_sound():
                await self._watch()
        except Exception:
            self.leave("internal error")
            raise
        finally:
            self._end()

    async def _watch(self) -> None:
        try:
            keys = await self._dtls.handshake()
        except DtlsFailed as exc:
            self._was_refused = not exc.is_timeout
            self.leave(str(exc), gave_up=True)
            return
        assert self._path is not None, "a handshake needs a checked address"
        self.check_format(self._sender.stream.format)
        if self.closed_reason:
            return
        self._srtp_profile = keys.profile
        self.viewer = Viewer(keys, self._path.route, self._profile, self._sender.ssrc)
        self._move(PeerState.CONNECTED)
        self._connected_s = trio.current_time()
        log.info("viewer connected", camera=self.camera, session=self.label, address=self.address, srtp=keys.profile)
        self._sender.add(self.viewer)
        if self._sound is not None:
            self._listener = Listener(keys, self._path.route, self._sound.payload_type, self._sound.sender.ssrc)
            self._sound.sender.add(self._listener)
        await burst.send_bursts(self.viewer, self._turns)

    def _end(self) -> None:
        if not self.closed_reason:
            self.closed_reason = "camgate is shutting down"
        self._move(PeerState.CLOSED)
        self._gone.set()
        # Whoever wants to know holds us mostly: without that circle we are freed at once.
        on_gone, self.on_gone = self.on_gone, _nothing
        on_gone()
        if self.viewer is not None:
            self._sender.remove(self.viewer)
            self.viewer.send_bye()
            self._end_sound()
        self._dtls.close()
        log.info("viewer left", camera=self.camera, session=self.label, address=self.address, reason=self.closed_reason)

    def _want_sound(self) -> AbstractContextManager[None]:
        return nullcontext() if self._sound is None else self._sound.sender.stream.wants.hold()

    def end_sound(self, sender: AudioSender) -> None:
        """Go on without the sound of `sender`, which has ended."""
        if self._sound is not None and self._sound.sender is sender:
            self._end_sound()

    def _end_sound(self) -> None:
        if self._sound is not None and self._listener is not None:
            self._sound.sender.remove(self._listener)
            self._listener.send_bye()
        self._sound = self._listener = None

    def leave(self, reason: str, *, gave_up: bool = False) -> None:
        """End the session, for `reason` in words; the goodbye goes out from the peer's own task.

        gave_up: the viewer goes by itself, or as it does not connect; not as something else ended.
        """
        if not self.closed_reason:
            self._gave_up = gave_up
        self.closed_reason = self.closed_reason or reason
        self._watching.cancel()

    @property
    def age_s(self) -> float:
        """How long ago its offer was answered."""
        return trio.current_time() - self._since_s

    @property
    def codec(self) -> str:
        """What it is sent, such as `H264`."""
        return self._sender.codec

    def milestones_s(self) -> list[float]:
        """Return when it has reached what, in seconds from its offer: connected, and its first frame on its way."""
        first_frame_s = None if self.viewer is None else self.viewer.first_frame_s
        return [at_s - self._since_s for at_s in (self._connected_s, first_frame_s) if at_s is not None]

    @property
    def failure(self) -> Failure | None:
        """Why it never connected; None when it did, when something else ended it, or when it just changed its mind."""
        if self.viewer is not None or not self._gave_up:
            return None
        if self._was_refused:
            return Failure.HANDSHAKE_REFUSED
        if self.age_s < GIVEN_UP_S:
            return None
        if self._path is None and not self.paths:
            return Failure.NO_CHECK
        if self._is_pinned:
            return Failure.HANDSHAKE_STALLED
        return Failure.NO_ANSWER if any(path.early for path in self.paths.values()) else Failure.NO_HANDSHAKE

    def check_format(self, video: VideoFormat | None) -> None:
        """End the session where the stream has become what the viewer did not ask for; no more is sent to it."""
        reason = None if video is None else self.misfit(video)
        if reason is not None:
            if self.viewer is not None:
                self.viewer.closed = True
            self.leave(reason)

    async def wait_closed(self) -> str:
        """Wait until the viewer is gone; returns the reason."""
        await self._gone.wait()
        return self.closed_reason

    def heard_within(self, seconds: float) -> bool:
        """Say whether the viewer sent a valid check or report in the last `seconds`."""
        return trio.current_time() - self._heard_s <= seconds

    def check_silence(self, now: float, timeout_s: float = SILENCE_TIMEOUT_S) -> None:
        """End the session when the viewer has not been heard for `timeout_s`."""
        if now - self._heard_s > timeout_s:
            heard = "fell silent" if self.viewer is not None else "never connected"
            self.leave(f"the viewer {heard}: nothing heard for {timeout_s:g} s", gave_up=True)

    @property
    def was_cut_off(self) -> bool:
        """Whether the session ended because the viewer flooded us."""
        return self._allowance.is_flooding

    def is_sent_by(self, sender: Sender) -> bool:
        """Say whether this viewer's pictures come from `sender`."""
        return self._sender is sender

    @property
    def label(self) -> str:
        """The session id's first characters: enough for a log, useless for taking the session over."""
        return self.session_id[:8]

    @property
    def address(self) -> str | None:
        """Where the viewer is reached, or was heard from last, as text."""
        path = self._path or next(reversed(self.paths.values()), None)
        return None if path is None else place(*path.route.address[:2])

    @property
    def etag(self) -> str:
        """Names the present ICE session (draft-ietf-wish-whep section on ICE restarts)."""
        return self.local.ufrag

    @property
    def remote_ufrag(self) -> str:
        """The viewer's present user name fragment."""
        return self._remote.ufrag

    def ufrags(self) -> Iterator[str]:
        """Our user name fragments that checks may still carry."""
        yield self.local.ufrag
        if self._previous is not None:
            yield self._previous.ufrag

    def restart_ice(self, remote: IceCredentials) -> None:
        """Take new credentials of the viewer and make new ones of ours; media goes on meanwhile (RFC 8445 9)."""
        self._previous, self.local = self.local, IceCredentials.generate()
        self._remote = remote

    def receive_check_untrusted(
        self, message: stun.StunMessage, known: Path | None, make_route: Callable[[], Route]
    ) -> Path | None:
        """Take a Binding request that carries one of our ufrags; returns the path that it came on.

        Returns None when it is not authentic, or one too many. known: that path, None where it is a new one.
        """
        now = trio.current_time()
        local = self._credentials(message.username)
        if local is None or self.closed_reason:
            return None
        if not self._allowance.take_check(now, is_new_path=known is None):
            if message.has_integrity(local.pwd.encode()) and self._allowance.mind_check(now, message.transaction_id):
                self._look_for_flood()
            else:
                self._say_dropping()
            return None
        if not message.has_integrity(local.pwd.encode()):
            return None
        self._heard_s = now
        path = known or Path(make_route(), self._offer)
        path.count_received(len(message.data))
        self._consider(path, is_nominated=message.use_candidate)
        host, port = path.route.address[:2]
        answer = stun.build_binding_success(message, (host, port), local.pwd.encode())
        if path is self._wanted or (self.viewer is None and not path.is_answered):
            path.send_answer_and_check(answer, self._build_check(path))
        else:
            path.send_answer(answer)
        if self.state is PeerState.NEW:
            self._move(PeerState.CHECKED)
        return path

    def _credentials(self, username: str) -> IceCredentials | None:
        ufrag = username.partition(":")[0]
        if ufrag == self.local.ufrag:
            return self.local
        if self._previous is not None and ufrag == self._previous.ufrag:
            return self._previous
        return None

    def receive_check_answer_untrusted(self, message: stun.StunMessage, path: Path) -> None:
        """Take the answer to a check of ours: the viewer really is at that address."""
        if message.message_type != stun.BINDING_SUCCESS or message.transaction_id != path.check_id:
            return
        if path.is_answered and path is not self._wanted:
            return
        if not self._allowance.take_check(trio.current_time(), is_new_path=False):
            self._say_dropping()
            return
        if not message.has_integrity(self._remote.pwd.encode()):
            return
        path.prove()
        if path is self._wanted:
            self._path, self._wanted = path, None
            if self.viewer is not None:
                self.viewer.route = path.route
                log.debug("viewer moved", camera=self.camera, session=self.label, address=self.address)
            if self._listener is not None:
                self._listener.route = path.route
        elif self._path is None:
            self._path = path
        early, path.early = path.early, []
        for datagram in early:
            self._take_dtls(datagram, path)

    def _consider(self, path: Path, *, is_nominated: bool) -> None:
        """Use a path that was checked, if it is the one to send on: at once, or when it has answered."""
        # RFC 8445 section 7.3.2: that is the pair that the controlling agent nominates; until it does, the first one.
        if path.is_proven and not self._is_pinned and (is_nominated or self._path is None):
            self._path = path
        if is_nominated:
            self._wanted = None if path is self._path else path

    def _build_check(self, path: Path) -> bytes:
        # An ICE-lite agent need not send checks (RFC 8445 section 2.5). Whoever answers is where it says to be; and
        # pion-based viewers connect in 7 ms instead of 207: they wait for it before they look at their own answers.
        return stun.build_binding_request(
            path.check_id,
            f"{self._remote.ufrag}:{self.local.ufrag}",
            self._remote.pwd.encode(),
            priority=_CHECK_PRIORITY,
            tie_breaker=self._tie_breaker,
        )

    def receive_dtls_untrusted(self, data: bytes, path: Path) -> None:
        """Take a DTLS datagram from one of the viewer's checked addresses, if it is within its budget."""
        if not self._allowance.take_record(trio.current_time()):
            self._say_dropping()
            return
        if path.is_proven:
            self._take_dtls(data, path)
            return
        path.count_received(len(data))
        if path.early and not self.closed_reason:
            # The viewer repeats itself, so it has got our answer: it is our check that was lost.
            path.send(self._build_check(path))
        path.keep_early(data)

    def _take_dtls(self, data: bytes, path: Path) -> None:
        if not self._is_pinned:
            # Of all addresses that are proven the first that asks for the handshake gets it all. From now on another
            # one must answer a check of ours, and be nominated, before media go there.
            self._is_pinned = True
            self._path = path
        self._dtls.receive_datagram(data)
        if self._dtls.closed_by_peer:
            self.leave("the viewer left", gave_up=True)

    def receive_srtcp_untrusted(self, data: bytes) -> None:
        """Take an SRTCP packet; what is not authentic, not RTCP, or above the viewer's budget is dropped."""
        viewer = self.viewer
        if viewer is None or self.closed_reason or len(data) > MAX_CONTROL_BYTES:
            return
        opened = self._open_report(viewer, data)
        if opened is None:
            return
        try:
            packets = rtcp.parse_rtcp_untrusted(opened)
        except RtcpMalformed:
            return
        for packet in packets:
            self._take_rtcp(viewer, packet)

    def _open_report(self, viewer: Viewer, data: bytes) -> bytes | None:
        """Decrypt an SRTCP packet; None when it is not the viewer's, or one too many."""
        now = trio.current_time()
        # In clear: RFC 3711 section 3.4.
        ssrc = data[4:8]
        if not (self._allowance.may_report(ssrc) and self._allowance.may_try_key(now)):
            self._say_dropping()
            return None
        try:
            opened = viewer.unprotect_rtcp(data)
        except pylibsrtp.Error:
            self._allowance.take_garbage(now)
            return None
        self._heard_s = now
        self._allowance.take_reporter(ssrc)
        if not self._allowance.take_report(now, len(data)):
            self._look_for_flood()
            return None
        return opened

    def _look_for_flood(self) -> None:
        if self._allowance.is_flooding and not self.closed_reason:
            refused = self._allowance.refused()
            log.warning(
                "viewer cut off: it floods us",
                camera=self.camera,
                session=self.label,
                address=self.address,
                checks_refused=refused.checks,
                reports_refused=refused.reports,
            )
            self.leave("the viewer flooded us with checks and reports")

    def _say_dropping(self) -> None:
        if not self._said_dropping:
            self._said_dropping = True
            log.warning(
                "too much comes under a viewer's name or address, the excess is dropped",
                camera=self.camera,
                session=self.label,
                address=self.address,
            )

    def _take_rtcp(self, viewer: Viewer, packet: rtcp.RtcpPacket) -> None:
        """Take feedback by the SSRC that it is about: nothing can be asked for again, or anew, of sound."""
        if isinstance(packet, rtcp.Nack):
            if packet.media_ssrc == viewer.ssrc:
                self._sender.receive_nack(viewer, packet)
        elif isinstance(packet, rtcp.PictureLossIndication):
            if packet.media_ssrc == viewer.ssrc:
                self._sender.receive_key_frame_request(viewer)
        elif isinstance(packet, rtcp.FullIntraRequest):
            if any(ssrc == viewer.ssrc for ssrc, _ in packet.entries):
                self._sender.receive_key_frame_request(viewer)
        elif isinstance(packet, rtcp.ReceiverReport):
            for block in packet.reports:
                self._take_report(viewer, block)

    def _take_report(self, viewer: Viewer, block: rtcp.ReportBlock) -> None:
        if block.ssrc == viewer.ssrc:
            viewer.take_report(block)
        elif self._sound is not None and self._listener is not None and block.ssrc == self._listener.ssrc:
            self._listener.take_report(block, self._sound.sender.clock_hz)

    def _send(self, datagram: bytes) -> None:
        if self._path is not None:
            self._path.route.send(datagram)

    def lose_path(self, key: PathKey) -> None:
        """Forget a way that is no more; without another one, the viewer has left."""
        path = self.paths.pop(key, None)
        if path is not None and path is self._path and not self.paths:
            self.leave("the viewer's TCP connection ended")

    @property
    def transport(self) -> str | None:
        """How the viewer is reached: `udp` or `tcp`; None while it is not."""
        if self._path is None:
            return None
        return "tcp" if self._path.route.socket.is_tcp else "udp"

    def forget_old_path(self) -> PathKey | None:
        """Forget the address heard least recently, when there are more than MAX_PATHS; returns it."""
        if len(self.paths) <= MAX_PATHS:
            return None
        key = next(key for key, path in self.paths.items() if path is not self._path)
        del self.paths[key]
        return key

    def _move(self, state: PeerState) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state} -> {state}"
        self.state = state

    def statistics(self) -> PeerStatistics:
        """Take a snapshot."""
        media = None if self.viewer is None else self.viewer.statistics()
        age = trio.current_time() - self._since_s
        refused = self._allowance.refused()
        return PeerStatistics(
            self.label,
            self.camera,
            self.state,
            self.address,
            self.transport,
            self._srtp_profile,
            age,
            refused,
            len(self.paths),
            self._dtls.waiting,
            media,
            None if self._listener is None else self._listener.statistics(),
        )
