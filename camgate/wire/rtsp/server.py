"""`RtspServer`: one RTSP connection in the server role (RFC 2326), media interleaved in its TCP stream or beside it.

Sans-IO: the shell in `camgate.serve.rtsp` owns the socket, the clock and the streams. Its loop: feed what was read,
answer `events()`, send `data_to_send()`, wait until data or `next_deadline()`. Requests are answered in order: while
one waits for the shell's answer, those behind it wait unread.
Nothing that a client sends raises: it is answered with the status that says what is wrong, and where the stream itself
cannot be read any further, `ConnectionEnded` follows.
Its many lines are one conversation, read from top to bottom.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from camgate.wire.rtsp.errors import LostSync, MalformedUrl, RtspRemoteError, WrongState, printable
from camgate.wire.rtsp.headers import parse_session_untrusted
from camgate.wire.rtsp.interleaved import InterleavedReader, interleave
from camgate.wire.rtsp.message import REASONS, Headers, Request, Response, encode_message
from camgate.wire.rtsp.server_events import (
    ConnectionEnded,
    Description,
    DescriptionWanted,
    Interleaved,
    LoginRefused,
    PlayedTrack,
    PlayRequested,
    ServerEvent,
    TrackStart,
)
from camgate.wire.rtsp.server_login import Login, ServerLogin, Users
from camgate.wire.rtsp.server_states import ServerState, next_state, valid_methods
from camgate.wire.rtsp.server_target import aggregate_url, path_named, query_of
from camgate.wire.rtsp.server_transport import UnservedTransport, choose_transport_untrusted, way_of

MAX_FAILED_LOGINS = 5
"""Wrong answers on one connection before it is closed: room for a client that tries each scheme, none for guessing."""

TIMEOUT_GRACE_S = 5.0
"""A keepalive that is sent just before the session's timeout must still get here."""

_PUBLIC = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
_LIVE_RANGE = ("Range", "npt=now-")

_CSEQ = re.compile(r"[0-9]{1,10}")
_ACCEPTS_SDP = re.compile(r"application/(?:sdp|\*)|\*/\*", re.IGNORECASE)
# RFC 2326 3.6, 3.5 and 3.7: normal play time, SMPTE and absolute time. Which moment is asked for plays no part in a
# live stream, that it is a range does. Possessive, since a line of spaces must not cost quadratic time.
_RANGE = re.compile(r"(?:npt|smpte(?:-[\w-]+)?|clock)\s*=\s*+[\w.:;]*+\s*+-\s*+[\w.:]*+(?:\s*;.*)?", re.ASCII)
_OTHER_VERSION = re.compile(rb"^[!-~]+ +[!-~]+ +RTSP/(?!1\.)\d+\.\d+ *\r?$", re.MULTILINE)
_REMEMBERED_BYTES = 1024
"""Of what was read last: enough to find the request line that could not be read."""

Header = tuple[str, str]

Access = Callable[[str], Users | None]
"""Who may see a path, or None where everybody may."""


def open_to_all(_path: str) -> None:
    """The `Access` of a server without passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPolicies:
    """The choices that a server makes."""

    session_timeout_s: int = 60
    """Silence after which a session ends; told to the client. RFC 2326 section 12.37 names 60 s as the default."""
    idle_timeout_s: float = 30.0
    """Silence after which a connection without a session ends."""
    offers_basic: bool = False
    """Whether passwords may come in clear (Basic): for use under TLS only."""
    offers_digest: bool = True
    """Whether passwords may be proved (Digest). Clients take that before Basic, and a token cannot be proved so."""
    name: str = "camgate"
    """The Server header."""
    udp_ports: tuple[int, int] | None = None
    """Our ports for RTP and RTCP over UDP; None where media goes through the connection only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspServerStatistics:
    """A snapshot of one connection's counters."""

    state: str
    bytes_received: int
    requests_received: int
    packets_received: int
    packets_sent: int
    failed_logins: int


class RtspServer:
    """One RTSP connection, server role.

    access: asked for each path that a client names, before anything tells whether the path exists.
    make_token: makes the connection's nonce and session id; must not be guessable.
    """

    def __init__(
        self,
        now: float,
        *,
        access: Access = open_to_all,
        policies: ServerPolicies | None = None,
        make_token: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._policies = policies or ServerPolicies()
        self._access = access
        self._login = ServerLogin(
            make_token(), offers_basic=self._policies.offers_basic, offers_digest=self._policies.offers_digest
        )
        self._accepted: tuple[str, str] | None = None
        self._session_id = make_token()
        # A client sends requests and reports over a stream that loses nothing: whatever else comes is no RTSP.
        self._reader = InterleavedReader(max_resyncs_per_minute=0)
        self._state = ServerState.INIT
        self._last_heard_s = now
        self._last_bytes = b""
        self._pending: Request | None = None
        self._described: tuple[str, Description] | None = None
        self._asked_path = ""
        self._path = ""
        self._tracks: dict[str, PlayedTrack] = {}
        self._out: list[bytes | bytearray] = []
        self._events: list[ServerEvent] = []
        self._requests_received = 0
        self._packets_received = 0
        self._packets_sent = 0
        self._failed_logins = 0

    @property
    def requests_received(self) -> int:
        """How many requests were read so far."""
        return self._requests_received

    @property
    def state(self) -> ServerState:
        """Where the session stands; CLOSED means: flush and close."""
        return self._state

    @property
    def username(self) -> str | None:
        """Who has logged in; None where nobody had to."""
        return self._login.username

    def receive_data(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take bytes that the client sent. `data` is copied: its buffer may be reused at once."""
        self._reader.receive_data(data)
        self._last_bytes = (self._last_bytes + data)[-_REMEMBERED_BYTES:]
        self._read_untrusted(now)

    def receive_eof(self) -> None:
        """The client closed its side. That ends everything: it cannot keep its session alive any more."""
        self._end("the client closed the connection")

    def data_to_send(self) -> bytes:
        """Drain the bytes that are to be sent."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def events(self) -> list[ServerEvent]:
        """Drain the events, in order."""
        events = self._events
        self._events = []
        return events

    def describe(self, description: Description, now: float) -> None:
        """Answer `DescriptionWanted`."""
        request = self._take_pending("describe", ("DESCRIBE", "SETUP"))
        self._described = (self._asked_path, description)
        if request.method == "DESCRIBE":
            self._respond_with_description(request, description)
        else:
            self._answer_untrusted(request)
        self._read_untrusted(now)

    def accept_play(self, starts: Iterable[TrackStart], now: float) -> None:
        """Answer `PlayRequested`: `send_packets` is due from here on, beginning as `starts` says."""
        request = self._take_pending("accept_play", ("PLAY",))
        base = aggregate_url(request.url, self._path)
        # RFC 2326 section 12.33: tells which packets belong to this PLAY, and where its time begins.
        info = ",".join(f"url={base}{s.control};seq={s.sequence};rtptime={s.rtp_time}" for s in starts)
        self._state = ServerState.PLAYING
        self._respond(request, 200, [self._session(), _LIVE_RANGE, ("RTP-Info", info)])
        self._read_untrusted(now)

    def refuse(self, status: int, now: float, *, reason: str = "") -> None:
        """Answer `DescriptionWanted` or `PlayRequested` with a status such as 404 or 503, and why in words."""
        self._respond(self._take_pending("refuse", ("DESCRIBE", "SETUP", "PLAY")), status, reason=reason)
        self._read_untrusted(now)

    def refuse_login(self, now: float) -> None:
        """Answer `LoginRefused`."""
        self._challenge(self._take_pending("refuse_login", ("DESCRIBE", "SETUP")))
        if self._failed_logins >= MAX_FAILED_LOGINS:
            self._end("too many failed logins", is_fault=True)
        self._read_untrusted(now)

    def accept_login(self, username: str, now: float) -> None:
        """Answer `LoginRefused` with that it is right after all, for its path and on this connection."""
        request = self._take_pending("accept_login", ("DESCRIBE", "SETUP"))
        self._failed_logins -= 1
        self._accepted = self._asked_path, request.headers.get("Authorization") or ""
        self._login.username = username
        self._answer_untrusted(request)
        self._read_untrusted(now)

    def send_packets(self, channel: int, packets: Sequence[bytes]) -> None:
        """Queue RTP or RTCP packets, each at most 65,535 bytes; nothing is sent for a session that plays no more."""
        if self._state is ServerState.PLAYING:
            self._packets_sent += len(packets)
            self._out += [interleave(channel, packet) for packet in packets]

    def send_interleaved(self, data: bytes | bytearray, packet_count: int) -> None:
        """Queue packets that are interleaved already; as `send_packets`."""
        if self._state is ServerState.PLAYING:
            self._packets_sent += packet_count
            self._out.append(data)

    def count_sent(self, packet_count: int) -> bool:
        """Count packets that the shell sends by itself; False where the session does not play, and nothing is due."""
        is_due = self._state is ServerState.PLAYING
        self._packets_sent += packet_count * is_due
        return is_due

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send` would return something."""
        return bool(self._out)

    def receive_report(self, now: float) -> None:
        """Take note of RTCP that came by UDP: the client is there (RFC 2326 appendix A)."""
        if self._state is ServerState.PLAYING:
            self._packets_received += 1
            self._last_heard_s = now

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is due: the client has been silent for too long."""
        return None if self._state is ServerState.CLOSED else self._last_heard_s + self._timeout_s()

    def handle_deadline(self, now: float) -> None:
        """End the connection if the client has been silent for too long."""
        deadline = self.next_deadline()
        if deadline is not None and now >= deadline:
            self._end(f"the client was silent for {self._timeout_s():g} s", is_fault=True)

    def statistics(self) -> RtspServerStatistics:
        """Snapshot of the counters."""
        return RtspServerStatistics(
            state=self._state.name,
            bytes_received=self._reader.bytes_received,
            requests_received=self._requests_received,
            packets_received=self._packets_received,
            packets_sent=self._packets_sent,
            failed_logins=self._failed_logins,
        )

    # Reading

    def _read_untrusted(self, now: float) -> None:
        try:
            while self._pending is None and self._state is not ServerState.CLOSED:
                message = self._reader.next_message_untrusted(now)
                if message is None:
                    break
                self._last_heard_s = now
                if isinstance(message, Request):
                    self._requests_received += 1
                    self._answer_untrusted(message)
        except RtspRemoteError as error:
            is_other_version = _OTHER_VERSION.search(self._last_bytes)
            self._out.append(encode_message(Response(505 if is_other_version else 400)))
            # Its words speak of a camera, where bytes may be lost; here the first byte that fits nowhere is the end.
            is_foreign = isinstance(error, LostSync)
            self._end("what the client sent is no RTSP" if is_foreign else str(error), is_fault=True)
        # RFC 2326 appendix A: RTCP from the client shows, like a request, that it is there.
        if packets := self._reader.take_packets():
            self._packets_received += len(packets)
            self._last_heard_s = now

    def _answer_untrusted(self, request: Request) -> None:
        try:
            self._dispatch_untrusted(request)
        except MalformedUrl:
            self._respond(request, 400)
        except _Refusal as refusal:
            self._respond(request, refusal.status_code, refusal.headers, reason=refusal.reason)
        except _WrongLogin:
            self._failed_logins += 1
            username, password = self._login.in_clear_untrusted(request.headers.get("Authorization")) or (None, None)
            self._wait(request, LoginRefused(self._asked_path, username, password))

    def _dispatch_untrusted(self, request: Request) -> None:
        # RFC 2326 section 12.17: CSeq must be present in all requests and responses.
        if not _CSEQ.fullmatch(request.headers.get("CSeq") or ""):
            raise _Refusal(400)
        # Sections 12.32 and 12.27: what a client requires and the server lacks is named in the 551.
        if required := [*request.headers.get_all("Require"), *request.headers.get_all("Proxy-Require")]:
            raise _Refusal(551, [("Unsupported", printable(", ".join(required)))])
        match request.method:
            case "OPTIONS":
                self._options(request)
            case "DESCRIBE":
                self._describe(request)
            case "SETUP":
                self._setup(request)
            case "PLAY":
                self._play(request)
            case "TEARDOWN":
                self._teardown(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._parameter(request)
            case "ANNOUNCE" | "PAUSE" | "RECORD" | "REDIRECT":
                # Section 11.3.2: a 405 lists the methods that are allowed.
                raise _Refusal(405, [("Allow", _PUBLIC)])
            case _:
                raise _Refusal(501, [("Public", _PUBLIC)])

    # Requests

    def _options(self, request: Request) -> None:
        self._check_session(request)
        self._respond(request, 200, [("Public", _PUBLIC)])

    def _describe(self, request: Request) -> None:
        path = path_named(request.url)
        self._authorize(request, path)
        accepted = request.headers.get("Accept")
        if accepted is not None and not _ACCEPTS_SDP.search(accepted):
            raise _Refusal(406)
        self._ask(request, path)

    def _respond_with_description(self, request: Request, description: Description) -> None:
        base = aggregate_url(request.url, self._asked_path)
        headers = [("Content-Base", base), ("Content-Type", "application/sdp")]
        self._respond(request, 200, headers, description.sdp.encode())

    def _setup(self, request: Request) -> None:
        path, _, control = path_named(request.url).rpartition("/")
        self._authorize(request, path)
        self._check_session(request, is_needed=self._state is not ServerState.INIT)
        state = self._check_state(request)
        # Section 11.3.10: a transport belongs to one track, and one session to one presentation.
        if (self._described and path_named(request.url) == self._described[0]) or (self._tracks and path != self._path):
            raise _Refusal(459)
        if self._described is None or self._described[0] != path:
            self._ask(request, path)
            return
        track = next((track for track in self._described[1].tracks if track.control == control), None)
        if track is None:
            raise _Refusal(404)
        taken = {channel for pair in self._channels(but=control) for channel in pair}
        try:
            transport = choose_transport_untrusted(
                request.headers.get("Transport") or "", taken_channels=taken, udp_ports=self._policies.udp_ports
            )
        except UnservedTransport as error:
            raise _Refusal(461, reason=str(error)) from error
        self._path = path
        self._tracks[control] = PlayedTrack(track, way_of(transport))
        self._reader.channels = {rtcp_channel for _, rtcp_channel in self._channels()}
        self._state = state
        answer = replace(transport, ssrc=track.ssrc)
        self._respond(request, 200, [("Transport", str(answer)), self._session()])

    def _channels(self, *, but: str | None = None) -> list[tuple[int, int]]:
        """Return the channels of all tracks that are interleaved, except for the track `but`."""
        ways = [played.way for control, played in self._tracks.items() if control != but]
        return [(way.rtp_channel, way.rtcp_channel) for way in ways if isinstance(way, Interleaved)]

    def _play(self, request: Request) -> None:
        self._check_session(request, is_needed=True)
        self._check_state(request)
        self._check_target(request)
        wanted_range = request.headers.get("Range")
        if wanted_range is not None and not _RANGE.fullmatch(wanted_range):
            raise _Refusal(457)
        if self._state is ServerState.PLAYING:
            self._respond(request, 200, [self._session(), _LIVE_RANGE])
        else:
            self._wait(request, PlayRequested(self._path, tuple(self._tracks.values())))

    def _teardown(self, request: Request) -> None:
        self._check_session(request, is_needed=True)
        self._check_state(request)
        self._check_target(request)
        self._respond(request, 200)
        self._end("the client ended the session")

    def _parameter(self, request: Request) -> None:
        self._check_session(request)
        # Section 10.8: without a body this tests whether the other side is alive. There are no parameters to name.
        if request.body:
            raise _Refusal(451)
        self._respond(request, 200, [] if self._state is ServerState.INIT else [self._session()])

    # Checks

    def _authorize(self, request: Request, path: str) -> None:
        users = self._access(path)
        if users is None:
            return
        self._asked_path = path
        header = request.headers.get("Authorization")
        if self._accepted == (path, header):
            return
        login = self._login.check_untrusted(header, method=request.method, url=request.url, users=users)
        if login is Login.GRANTED:
            return
        if login is Login.REFUSED:
            raise _WrongLogin
        challenges = self._login.challenges(users, is_stale=login is Login.STALE)
        raise _Refusal(401, _challenge_headers(challenges))

    def _challenge(self, request: Request) -> None:
        """Answer a request whose login was wrong: just as one that had none."""
        users = self._access(self._asked_path)
        self._respond(request, 401, _challenge_headers(self._login.challenges(users or {})))

    def _check_session(self, request: Request, *, is_needed: bool = False) -> None:
        header = request.headers.get("Session")
        session = parse_session_untrusted(header) if header is not None else None
        is_ours = session is not None and session.id == self._session_id and self._state is not ServerState.INIT
        if not is_ours and (is_needed or header is not None):
            raise _Refusal(454)

    def _check_state(self, request: Request) -> ServerState:
        state = next_state(self._state, request.method)
        if state is None:
            # Section 11.3.6: the response should have an Allow header.
            raise _Refusal(455, [("Allow", ", ".join(valid_methods(self._state)))])
        return state

    def _check_target(self, request: Request) -> None:
        """PLAY and TEARDOWN are for the presentation, or for its track where only one was set up."""
        path = path_named(request.url)
        if path == self._path:
            return
        if path not in {f"{self._path}/{control}" for control in self._tracks}:
            raise _Refusal(404)
        if len(self._tracks) > 1:
            raise _Refusal(460)

    # Answers

    def _ask(self, request: Request, path: str) -> None:
        self._asked_path = path
        self._wait(request, DescriptionWanted(path, query_of(request.url)))

    def _wait(self, request: Request, event: ServerEvent) -> None:
        self._pending = request
        self._events.append(event)

    def _take_pending(self, operation: str, methods: tuple[str, ...]) -> Request:
        request = self._pending
        if request is None or request.method not in methods:
            waiting = "none" if request is None else request.method
            raise WrongState(operation, f"pending: {waiting}", (f"pending: {method}" for method in methods))
        self._pending = None
        return request

    def _respond(
        self, request: Request, status: int, headers: Iterable[Header] = (), body: bytes = b"", *, reason: str = ""
    ) -> None:
        cseq = request.headers.get("CSeq") or ""
        common = [("CSeq", cseq)] if _CSEQ.fullmatch(cseq) else []
        common.append(("Server", self._policies.name))
        # RFC 2326 section 7.1.1: the reason phrase is for people, and players show or log it. ASCII suits them all.
        words = f"{REASONS[status]}: {re.sub(r'[^ -~]', '?', reason)}" if reason else ""
        self._out.append(encode_message(Response(status, words, Headers([*common, *headers]), body)))

    def _session(self) -> Header:
        return ("Session", f"{self._session_id};timeout={self._policies.session_timeout_s}")

    def _timeout_s(self) -> float:
        if self._state is ServerState.INIT:
            return self._policies.idle_timeout_s
        return self._policies.session_timeout_s + TIMEOUT_GRACE_S

    def _end(self, reason: str, *, is_fault: bool = False) -> None:
        if self._state is not ServerState.CLOSED:
            self._state = ServerState.CLOSED
            self._pending = None
            self._events.append(ConnectionEnded(reason, is_fault))


class _Refusal(RtspRemoteError):
    """A request that is answered with an error and changes nothing."""

    def __init__(self, status_code: int, headers: Iterable[Header] = (), *, reason: str = "") -> None:
        super().__init__(status_code)
        self.status_code = status_code
        self.headers = tuple(headers)
        self.reason = reason


class _WrongLogin(RtspRemoteError):
    """A request whose user name or password is wrong."""


def _challenge_headers(challenges: Iterable[str]) -> list[Header]:
    return [("WWW-Authenticate", challenge) for challenge in challenges]
