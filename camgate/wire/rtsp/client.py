"""`RtspClient`: one RTSP connection in the client role (RFC 2326), media interleaved in its TCP stream or beside it.

Sans-IO: the shell in `camgate.ingest` owns the socket and the clock. Its loop: feed what was read, send
`data_to_send()`, look at `events()`, take the packets, wait until data or `next_deadline()`.
`receive_data` and `handle_deadline` may raise RtspRemoteError; after that the client is good for `teardown` only.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from camgate.wire.rtsp.auth import ClientLogin, parse_challenges_untrusted
from camgate.wire.rtsp.errors import (
    AuthenticationFailed,
    AuthenticationProblem,
    MalformedMessage,
    RedirectRefused,
    ResponseTimeout,
    RtspRemoteError,
    SessionLost,
    UnexpectedStatus,
    UnsupportedTransport,
    WrongState,
    printable,
)
from camgate.wire.rtsp.events import Described, Event, Playing, Redirected, ServerClosed, UdpSetUp
from camgate.wire.rtsp.exchange import NO_SUCH_TRACK, OPTIONS_MAY_FAIL, REDIRECTS, Exchange
from camgate.wire.rtsp.headers import (
    DEFAULT_SESSION_TIMEOUT_S,
    Transport,
    parse_public_untrusted,
    parse_session_untrusted,
    parse_transports_untrusted,
)
from camgate.wire.rtsp.interleaved import InterleavedReader, Packets, interleave
from camgate.wire.rtsp.message import REASONS, Headers, Message, Request, Response, encode_message
from camgate.wire.rtsp.policies import ClientPolicies, KeepaliveMethod
from camgate.wire.rtsp.states import Input, State, next_state
from camgate.wire.rtsp.statistics import RtspClientStatistics
from camgate.wire.rtsp.track import Presentation, Track, read_presentations_untrusted
from camgate.wire.rtsp.url import redact, split_url_untrusted
from camgate.wire.sdp.session import MalformedSdp, parse_sdp_untrusted

KEEPALIVE_MAX_INTERVAL_S = 25.0
"""Twice within the default session timeout of 60 s, with room for a slow camera; go2rtc uses the same."""

KEEPALIVE_MIN_INTERVAL_S = 1.0

_OVER = (State.ENDED, State.CLOSED)

_METHODS = "OPTIONS, GET_PARAMETER, SET_PARAMETER, ANNOUNCE, REDIRECT, TEARDOWN"
"""What a server may ask of us: all of it is answered with 200 (gortsplib#93)."""


def _random_cnonce() -> str:
    return secrets.token_hex(16)


class RtspClient:
    """One RTSP connection, client role.

    url: as configured; may hold credentials, which `username` and `password` override together.
    make_cnonce: where Digest takes its client nonces from.
    Raises MalformedUrl.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        policies: ClientPolicies | None = None,
        make_cnonce: Callable[[], str] = _random_cnonce,
    ) -> None:
        self._url = split_url_untrusted(url)
        self._policies = policies or ClientPolicies()
        if username is None:
            username, password = self._url.username, self._url.password
        self._login = ClientLogin(username, password, charset=self._policies.charset, make_cnonce=make_cnonce)
        self._reader = InterleavedReader()
        self._state = State.IDLE
        self._out = bytearray()
        self._events: list[Event] = []

        self._cseq = 0
        self._awaited: Exchange | None = None
        self._awaited_until_s = 0.0
        self._keepalive: Exchange | None = None
        self._keepalive_at_s: float | None = None

        self._public: frozenset[str] = frozenset()
        self._aggregate_url = str(self._url)
        self._presentations: list[Presentation] = []
        self._tracks_to_set_up: list[Track] = []
        self._tracks: list[Track] = []
        self._client_ports: Sequence[tuple[int, int]] | None = None
        self._session_id: str | None = None
        self._session_timeout_s = DEFAULT_SESSION_TIMEOUT_S

        self._requests_sent = 0
        self._responses_received = 0
        self._unmatched_responses = 0
        self._server_requests = 0
        self._keepalives_sent = 0
        self._keepalives_answered = 0
        self._reauthentications = 0

    # What the shell calls.

    def start(self, now: float) -> None:
        """Queue the first request (OPTIONS); DESCRIBE follows by itself."""
        self._step(Input.START)
        self._ask(Exchange("OPTIONS", str(self._url)), now)

    def play(
        self, tracks: Sequence[Track], now: float, *, client_ports: Sequence[tuple[int, int]] | None = None
    ) -> None:
        """After `Described`: SETUP each of `tracks` (at least one), then PLAY; `Playing` reports success.

        Only the first is indispensable: a later one that the camera refuses, or says nothing to, is left out.
        client_ports: a pair of UDP ports a track, to have media there; None to have it in this connection.
        """
        assert tracks, "play() needs a track"
        self._step(Input.PLAY)
        self._tracks_to_set_up = list(tracks)
        self._client_ports = client_ports
        self._ask_set_up(now)

    def teardown(self, now: float) -> None:
        """Queue TEARDOWN if there is a session. Send what `data_to_send` gives and close: the answer is not awaited."""
        has_session = bool(self._tracks) and self._state is not State.CLOSED
        self._step(Input.TEARDOWN)
        if has_session:
            self._send(Exchange("TEARDOWN", self._aggregate_url))

    def receive_data(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take bytes that the camera sent. `data` is copied: its buffer may be reused at once."""
        if self._state in _OVER:
            return
        reader = self._reader
        reader.receive_data(data)
        try:
            while (message := reader.next_message_untrusted(now)) is not None:
                self._receive_message_untrusted(message, now)
        except RtspRemoteError:
            self._end()
            raise

    def receive_eof(self) -> None:
        """The camera closed its side: reported as `ServerClosed`, once."""
        if self._state not in _OVER:
            self._events.append(ServerClosed(self._awaited.method if self._awaited else None))
        self._step(Input.EOF)

    @property
    def has_news(self) -> bool:
        """Whether there is anything to drain but packets: events, or bytes to send."""
        return bool(self._events or self._out)

    def data_to_send(self) -> bytes:
        """Drain the bytes that are to be sent."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def events(self) -> list[Event]:
        """Drain the events, in order."""
        events = self._events
        self._events = []
        return events

    def take_packets(self) -> Packets:
        """Drain the media packets: (interleaved channel, packet), in order of arrival, channels of `play` only.

        Packets may come before `Playing` (Reolink, v4l2rtspserver), so drain after each `receive_data`.
        """
        return self._reader.take_packets()

    def send_packet(self, channel: int, packet: bytes) -> None:
        """Queue a packet of our own, such as an RTCP receiver report, on an interleaved channel while PLAYING."""
        if self._state is not State.PLAYING:
            raise WrongState("send_packet", self._state.name, [State.PLAYING.name])
        self._out += interleave(channel, packet)

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is due: a request unanswered, or a keepalive to send."""
        return self._awaited_until_s if self._awaited else self._keepalive_at_s

    def handle_deadline(self, now: float) -> None:
        """Send a keepalive, or raise ResponseTimeout; before the deadline do nothing."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if self._awaited:
            method = self._awaited.method
            if self._may_leave_out(self._awaited):
                self._leave_out_track(now)
                return
            self._end()
            raise ResponseTimeout(method, self._policies.response_timeout_s)
        self._send_keepalive(now)

    def statistics(self) -> RtspClientStatistics:
        """Snapshot of the counters."""
        return RtspClientStatistics(
            state=self._state.name,
            bytes_received=self._reader.bytes_received,
            packets_received=self._reader.packets_received,
            unknown_channel_packets=self._reader.unknown_channel_packets,
            resyncs=self._reader.resyncs,
            garbage_bytes=self._reader.garbage_bytes,
            requests_sent=self._requests_sent,
            responses_received=self._responses_received,
            unmatched_responses=self._unmatched_responses,
            server_requests=self._server_requests,
            keepalives_sent=self._keepalives_sent,
            keepalives_answered=self._keepalives_answered,
            reauthentications=self._reauthentications,
        )

    # Requests out.

    def _ask(self, exchange: Exchange, now: float) -> None:
        """Send a request whose answer is awaited."""
        self._send(exchange)
        self._awaited = exchange
        self._awaited_until_s = now + self._policies.response_timeout_s

    def _send(self, exchange: Exchange) -> None:
        self._cseq += 1
        exchange.cseq = self._cseq
        # Exactly this spelling: some cameras match no other (go2rtc#7).
        headers = Headers([("CSeq", str(self._cseq)), ("User-Agent", self._policies.user_agent)])
        if self._session_id is not None:
            headers.add("Session", self._session_id)
        # On every request once challenged: Hikvision DS-7608 stops media after a keepalive or TEARDOWN without it.
        authorization = self._login.header(exchange.method, exchange.url)
        exchange.has_authorization = authorization is not None
        if authorization is not None:
            headers.add("Authorization", authorization)
        for name, value in exchange.headers:
            headers.add(name, value)
        self._out += encode_message(Request(exchange.method, exchange.url, headers))
        self._requests_sent += 1

    def _ask_set_up(self, now: float) -> None:
        """SETUP the next track, or PLAY when there is none left."""
        if not self._tracks_to_set_up:
            self._step(Input.ALL_SET_UP)
            # Parrot plays only with a Range (gortsplib client.go).
            self._ask(Exchange("PLAY", self._aggregate_url, (("Range", "npt=0.000-"),)), now)
            return
        if self._client_ports is None:
            transport = Transport(interleaved=self._free_channels())
        else:
            transport = Transport(protocol="RTP/AVP", client_port=self._client_ports[len(self._tracks)])
        url = self._tracks_to_set_up[0].control
        self._ask(Exchange("SETUP", url, (("Transport", str(transport)),)), now)

    def _free_channels(self) -> tuple[int, int]:
        taken = self._reader.channels
        return next((even, even + 1) for even in range(0, 256, 2) if not {even, even + 1} & taken)

    def _send_keepalive(self, now: float) -> None:
        # To the aggregate URL: some cameras do not answer others (gortsplib client.go).
        use_get_parameter = self._policies.keepalive is KeepaliveMethod.AUTO and "GET_PARAMETER" in self._public
        self._keepalive = Exchange("GET_PARAMETER" if use_get_parameter else "OPTIONS", self._aggregate_url)
        self._send(self._keepalive)
        self._keepalives_sent += 1
        self._schedule_keepalive(now)

    def _schedule_keepalive(self, now: float) -> None:
        interval = min(self._session_timeout_s / 2, KEEPALIVE_MAX_INTERVAL_S)
        self._keepalive_at_s = now + max(interval, KEEPALIVE_MIN_INTERVAL_S)

    # Messages in.

    def _receive_message_untrusted(self, message: Message, now: float) -> None:
        if self._state in _OVER:
            return
        if isinstance(message, Request):
            self._receive_request_untrusted(message)
            return
        self._responses_received += 1
        # RFC 2326 §7.1.1 and RFC 7231 §6.2: 1xx announces that the answer will follow.
        if message.status < 200:
            return
        exchange = self._match(message)
        if exchange is None:
            self._receive_unmatched_answer(message)
        elif message.status == 401 and self._repeat_with_login(exchange, message, now):
            return
        elif exchange is self._keepalive:
            self._receive_keepalive_answer_untrusted(exchange, message)
        else:
            self._receive_answer_untrusted(exchange, message, now)

    def _match(self, response: Response) -> Exchange | None:
        """Return the open exchange that a response answers; one without CSeq can only be about the one that is open."""
        cseq = response.headers.get("CSeq")
        for exchange in (self._awaited, self._keepalive):
            if exchange is not None and cseq in (None, str(exchange.cseq)):
                return exchange
        return None

    def _repeat_with_login(self, exchange: Exchange, response: Response, now: float) -> bool:
        """Repeat a request that drew a 401, or raise AuthenticationFailed; False lets the 401 pass as an answer."""
        is_refusal = exchange.has_authorization
        challenges = parse_challenges_untrusted(response.headers.get_all("WWW-Authenticate"))
        problem: AuthenticationProblem | None = AuthenticationProblem.REFUSED
        if not exchange.was_refused:
            problem = self._login.take_challenges(challenges, is_refusal=is_refusal)
        if problem is AuthenticationProblem.NO_CREDENTIALS and exchange is self._keepalive:
            # What plays without a login may go on without keepalives; the watchdog over frames decides.
            return False
        if problem is not None and self._may_leave_out(exchange):
            # Accounts of some cameras may see and not hear.
            return False
        if problem is not None:
            raise AuthenticationFailed(problem, exchange.method, (challenge.scheme for challenge in challenges))
        exchange.was_refused = is_refusal
        self._reauthentications += is_refusal
        if exchange is self._awaited:
            self._ask(exchange, now)
        else:
            self._send(exchange)
        return True

    def _receive_unmatched_answer(self, response: Response) -> None:
        self._unmatched_responses += 1
        # Tapo C220 refuses a keepalive with the CSeq of an earlier answer.
        if self._keepalive is not None and not response.is_success:
            self._public -= {"GET_PARAMETER"}

    def _receive_keepalive_answer_untrusted(self, exchange: Exchange, response: Response) -> None:
        self._keepalive = None
        self._keepalives_answered += 1
        if response.status == 454:
            raise SessionLost(exchange.method)
        # Any other refusal is ignored, but from here on the keepalive is OPTIONS, which all cameras know.
        if not response.is_success:
            self._public -= {"GET_PARAMETER"}

    def _receive_answer_untrusted(self, exchange: Exchange, response: Response, now: float) -> None:
        self._awaited = None
        location = response.headers.get("Location")
        if exchange.has_authorization and response.is_success:
            self._login.confirm()
        if exchange.method == "OPTIONS" and (response.is_success or response.status in OPTIONS_MAY_FAIL):
            self._receive_options(response, now)
        elif not response.is_success and self._may_leave_out(exchange):
            self._leave_out_track(now)
        elif response.status in REDIRECTS and location:
            self._redirect_untrusted(location)
        elif exchange.method == "SETUP" and response.status in NO_SUCH_TRACK and self._presentations:
            self._set_up_by_own_url(now)
        elif not response.is_success:
            reason = redact(response.reason) or REASONS.get(response.status, "")
            raise UnexpectedStatus(response.status, reason, exchange.method)
        elif exchange.method == "DESCRIBE":
            self._receive_description_untrusted(response)
        elif exchange.method == "SETUP":
            self._receive_set_up_untrusted(exchange, response, now)
        else:
            self._receive_play(now)

    def _receive_options(self, response: Response, now: float) -> None:
        self._public = parse_public_untrusted(response.headers.get_all("Public"))
        self._step(Input.OPTIONS_ANSWERED)
        self._ask(Exchange("DESCRIBE", str(self._url), (("Accept", "application/sdp"),)), now)

    def _receive_description_untrusted(self, response: Response) -> None:
        # Content-Type is not looked at: it may be absent or have parameters, and what parses as SDP is SDP.
        try:
            description = parse_sdp_untrusted(response.body)
        except MalformedSdp as error:
            detail = f"the answer to DESCRIBE is no session description ({error.detail})"
            raise MalformedMessage(detail, self._reader.offset) from error
        bases = [response.headers.get(name) for name in ("Content-Base", "Content-Location")]
        self._presentations = read_presentations_untrusted(description, bases, self._url)
        here = self._presentations.pop(0)
        self._aggregate_url = here.aggregate_url
        self._step(Input.DESCRIPTION_RECEIVED)
        self._events.append(
            Described(
                sdp=response.body.decode(errors="replace"),
                tracks=here.tracks,
                base_url=self._aggregate_url,
                server=printable(response.headers.get("Server") or ""),
            )
        )

    def _may_leave_out(self, exchange: Exchange) -> bool:
        """Say whether an exchange is about a track that can be done without: any but the first."""
        return exchange.method == "SETUP" and bool(self._tracks)

    def _leave_out_track(self, now: float) -> None:
        self._awaited = None
        self._tracks_to_set_up.pop(0)
        self._ask_set_up(now)

    def _set_up_by_own_url(self, now: float) -> None:
        """SETUP once more, as if the camera had named no base: by the URL that it did describe."""
        here = self._presentations.pop()
        self._aggregate_url = here.aggregate_url
        wanted = self._tracks_to_set_up
        self._tracks_to_set_up = [replace(track, control=here.tracks[track.index].control) for track in wanted]
        self._ask_set_up(now)

    def _receive_set_up_untrusted(self, exchange: Exchange, response: Response, now: float) -> None:
        try:
            rtp_channel, rtcp_channel = self._agreed_way_untrusted(response.headers.get("Transport") or "")
        except UnsupportedTransport:
            if not self._may_leave_out(exchange):
                raise
            self._leave_out_track(now)
            return
        self._presentations.clear()
        track = self._tracks_to_set_up.pop(0)
        self._tracks.append(replace(track, rtp_channel=rtp_channel, rtcp_channel=rtcp_channel))
        # Some cameras change the id from one SETUP to the next; the first one counts (retina's SessionIdPolicy).
        session = parse_session_untrusted(response.headers.get("Session") or "")
        if session is not None and self._session_id is None:
            self._session_id = session.id
            self._session_timeout_s = session.timeout_s
        self._ask_set_up(now)

    def _agreed_way_untrusted(self, header: str) -> tuple[int, int]:
        """Return the channels that a track's packets will have, read from the answer's Transport header."""
        if self._client_ports is not None:
            return self._agreed_ports_untrusted(header)
        asked = self._free_channels()
        transport = next(iter(parse_transports_untrusted(header)), Transport())
        if transport.names_udp:
            raise UnsupportedTransport(header)
        # RFC 2326 §12.39: the server may choose other channels than we asked for.
        given = transport.interleaved or asked
        rtp_channel, rtcp_channel = asked if self._reader.channels & set(given) else given
        self._reader.channels |= {rtp_channel, rtcp_channel}
        return rtp_channel, rtcp_channel

    def _agreed_ports_untrusted(self, header: str) -> tuple[int, int]:
        """Report from where a track will come over UDP, and return the channels that stand for its two ports."""
        transport = next(iter(parse_transports_untrusted(header)), Transport(protocol="RTP/AVP"))
        if transport.interleaved is not None or not transport.is_unicast or transport.protocol.upper().endswith("/TCP"):
            raise UnsupportedTransport(header)
        index = len(self._tracks)
        self._events.append(UdpSetUp(index, transport))
        return 2 * index, 2 * index + 1

    def _receive_play(self, now: float) -> None:
        self._step(Input.PLAY_ACCEPTED)
        self._schedule_keepalive(now)
        self._events.append(Playing(tuple(self._tracks), self._session_timeout_s))

    def _receive_request_untrusted(self, request: Request) -> None:
        """Answer a request of the server: 200 to all of them (RFC 2326 §10)."""
        self._server_requests += 1
        headers = Headers()
        cseq = request.headers.get("CSeq")
        if cseq is not None:
            headers.add("CSeq", cseq)
        if request.method == "OPTIONS":
            headers.add("Public", _METHODS)
        self._out += encode_message(Response(200, headers=headers))
        location = request.headers.get("Location")
        if request.method == "REDIRECT" and location:
            self._redirect_untrusted(location)
        elif request.method == "TEARDOWN":
            self._events.append(ServerClosed())
            self._end()

    def _redirect_untrusted(self, location: str) -> None:
        target = split_url_untrusted(location)
        if self._url.scheme == "rtsps" and target.scheme == "rtsp":
            raise RedirectRefused
        self._events.append(Redirected(str(target)))
        self._end()

    # State.

    def _step(self, step: Input) -> None:
        self._state = next_state(self._state, step)
        if self._state in _OVER:
            self._awaited = self._keepalive = self._keepalive_at_s = None

    def _end(self) -> None:
        self._step(Input.END)
