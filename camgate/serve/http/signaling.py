"""Signaling over WebSocket (`/ws`): many viewers on one socket, camera states pushed as they change.

A socket that goes takes no viewer with it: media has its own ways to end (DTLS goodbye, silence), and a page whose
socket broke goes on playing. All of a socket's tasks live in `SignalingSocket.run`.
"""

import json
from dataclasses import dataclass, field
from http import HTTPStatus

import trio
from quart import websocket
from quart.wrappers import Websocket
from quart_trio import QuartTrio

from camgate.auth.identity import Action, Identity
from camgate.auth.leases import Lease, Leases
from camgate.auth.renewal import CHANGED
from camgate.base.budget import Budget
from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.base.names import composed
from camgate.relay.errors import UnknownCamera
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.feed import CameraFeed
from camgate.serve.http.identity import Sight, Sights, client_address, connecting
from camgate.serve.http.messages import BadMessage, Candidate, Close, Message, Offer, Ping, parse_message_untrusted
from camgate.serve.http.permissions import needs, open_to_all
from camgate.serve.http.problem import Problem
from camgate.serve.http.rates import Rates
from camgate.serve.http.responses import Response, problem_response
from camgate.serve.http.whep import host_name

log = get_logger("serve.http")

MAX_VIEWERS_PER_SOCKET = 64
"""A wall of 8 x 8 cameras; a page that wants more opens another socket."""
MESSAGE_BURST, MESSAGES_PER_S = 500, 50
"""What a socket may send at once, and a second: a wall of 64 cameras sends 64 offers and some candidates each."""
MAX_EARLY_CANDIDATES = 32
"""Candidates that come before the answer; browsers have one a network interface and transport."""
LEAST_RENEWAL_S = 10.0
"""Between two messages with new credentials, also shortly before one's right to view ends."""
GOING_AWAY = 1001
"""Close code of an endpoint that goes away (RFC 6455 section 7.4.1)."""
SIGNED_OUT = 4401
"""Close code of our own (RFC 6455 section 7.4.2), after HTTP's 401."""
BYE_REASON = "The server is stopping; connect again in a few seconds."


class TooManyOnSocket(BadMessage):
    """A client wants more viewers on one socket than one may have."""

    # 429, not 503: the caller is at its own limit, this machine is not.
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many viewers on this socket"

    def __init__(self, viewer_id: str) -> None:
        super().__init__("too many viewers", viewer_id)

    def __str__(self) -> str:
        return f"One WebSocket carries at most {MAX_VIEWERS_PER_SOCKET} viewers; close one, or open another WebSocket."


@dataclass(slots=True)
class _Viewer:
    """One viewer of this socket, from its offer to its end."""

    negotiation: trio.CancelScope = field(default_factory=trio.CancelScope)
    session_id: str | None = None
    early_fragments: list[str] = field(default_factory=list)


def add_signaling_routes(
    app: QuartTrio, engine: MediaEngine, feed: CameraFeed, leases: Leases, rates: Rates, stopping: trio.Event
) -> None:
    """Add the WebSocket `/ws`. `stopping` is when the server begins to stop."""

    sights = Sights(engine.groups)

    @app.websocket("/ws")
    @needs(Action.VIEW)
    async def signal() -> None:
        identity = connecting()
        await SignalingSocket(engine, feed, websocket, identity, sights.of(identity), leases, rates).run(stopping)

    @app.get("/ws")
    @open_to_all
    async def ask_for_websocket() -> Response:
        # RFC 9110 section 15.5.22: a 426 names the protocol that is wanted.
        return problem_response(Problem.of_status(426, Upgrade="websocket", Connection="Upgrade"))


class SignalingSocket:
    """One WebSocket client."""

    _lease: Lease
    """Held while `run` runs. It knows the identity of now: sessions are renewed while sockets are open."""

    def __init__(
        self,
        engine: MediaEngine,
        feed: CameraFeed,
        socket: Websocket,
        identity: Identity,
        sight: Sight,
        leases: Leases,
        rates: Rates,
    ) -> None:
        self._rates = rates
        self._address = client_address(socket.scope)
        self._pace = Budget(MESSAGE_BURST, MESSAGES_PER_S)
        self._engine = engine
        self._feed = feed
        self._socket = socket
        self._identity = identity
        self._leases = leases
        self._sight = sight
        self._end_of_right = trio.Event()
        self._why_ended = ""
        self._host = host_name(socket.headers.get("Host"))
        self._viewers: dict[str, _Viewer] = {}
        # No more names than a request's headers have room for.
        self._watched = frozenset(map(composed, socket.args.getlist("camera"))) or None

    async def run(self, stopping: trio.Event) -> None:
        """Serve the client until it leaves (Quart cancels us), the server stops, or it may no more."""
        await self._socket.accept()
        with self._leases.holding(self._identity, self._lose_right) as self._lease:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._push_cameras)
                if self._engine.has_ice_servers:
                    nursery.start_soon(self._push_ice_servers)
                nursery.start_soon(self._receive, nursery)
                nursery.start_soon(self._end_with_right, nursery)
                await stopping.wait()
                await self._send("bye", reason=BYE_REASON)
                await self._socket.close(GOING_AWAY)
                nursery.cancel_scope.cancel()

    def _lose_right(self, reason: str) -> None:
        self._why_ended = reason
        self._end_of_right.set()

    async def _end_with_right(self, nursery: trio.Nursery) -> None:
        await self._end_of_right.wait()
        if self._why_ended == CHANGED:
            await self._send("bye", reason=f"{CHANGED[:1].upper()}{CHANGED[1:]}; connect again.")
            await self._socket.close(GOING_AWAY)
            nursery.cancel_scope.cancel()
            return
        await self._send("signed-out", reason=f"{self._why_ended[:1].upper()}{self._why_ended[1:]}; sign in again.")
        await self._socket.close(SIGNED_OUT)
        nursery.cancel_scope.cancel()

    async def _push_cameras(self) -> None:
        with self._feed.listen(self._watched, None if self._sight.is_whole else self._sight) as cursor:
            while True:
                for message in await cursor.next():
                    await self._socket.send(message)

    async def _push_ice_servers(self) -> None:
        """Tell the servers for the peer connections to come, and again before their credentials end."""
        while True:
            servers = self._engine.ice_servers(self._lease.identity)
            lifetime_s = min((server.lifetime_s for server in servers if server.lifetime_s), default=None)
            members = [server.members() for server in servers]
            await self._send("ice-servers", servers=members, max_age=lifetime_s)
            if lifetime_s is None:
                return
            await trio.sleep(max(lifetime_s / 2, LEAST_RENEWAL_S))

    async def _receive(self, nursery: trio.Nursery) -> None:
        while True:
            text = await self._socket.receive()
            if wait_s := self._pace.spend(trio.current_time()):
                # Meanwhile nothing is read, and the rest waits at the sender's.
                await trio.sleep(wait_s)
            try:
                await self._handle(parse_message_untrusted(text), nursery)
            except BadMessage as error:
                await self._send_problem(error.viewer_id, error)

    async def _handle(self, message: Message, nursery: trio.Nursery) -> None:
        match message:
            case Offer():
                self._start_viewer(message, nursery)
            case Candidate():
                await self._take_candidate(message)
            case Close():
                await self._close_viewer(message.id)
            case Ping():
                await self._send("pong")

    def _start_viewer(self, offer: Offer, nursery: trio.Nursery) -> None:
        if offer.id in self._viewers:
            raise BadMessage("a viewer of this id exists; choose another id", offer.id)
        if len(self._viewers) >= MAX_VIEWERS_PER_SOCKET:
            raise TooManyOnSocket(offer.id)
        self._viewers[offer.id] = _Viewer()
        nursery.start_soon(self._follow_viewer, offer)

    async def _follow_viewer(self, offer: Offer) -> None:
        try:
            reason = await self._play(offer)
        except RemoteError as error:
            del self._viewers[offer.id]
            await self._send_problem(offer.id, error)
        except Exception:
            log.exception("answering an offer failed", camera=offer.camera)
            del self._viewers[offer.id]
            await self._send("error", id=offer.id, problem=Problem.of_status(500).members())
        else:
            del self._viewers[offer.id]
            await self._send("closed", id=offer.id, reason=reason)

    async def _play(self, offer: Offer) -> str:
        """Have the offer answered and wait for the viewer's end; the reason of it."""
        viewer = self._viewers[offer.id]
        with viewer.negotiation:
            if offer.camera not in self._sight:
                raise UnknownCamera(offer.camera)
            identity = self._lease.identity
            self._rates.take_offer(self._address, identity.account)
            answer = await self._engine.answer_offer(
                offer.camera,
                offer.sdp,
                identity=identity,
                client=self._address,
                host=self._host,
                wait_s=offer.wait_s,
            )
            viewer.session_id = answer.session_id
        if viewer.session_id is None:
            return "Closed before the offer was answered."
        await self._send(
            "answer",
            id=offer.id,
            session=answer.session_id,
            sdp=answer.sdp,
            codec=answer.codec,
            why=answer.why,
        )
        for fragment in viewer.early_fragments:
            await self._add_candidate(offer.id, answer.session_id, fragment)
        return await self._engine.wait_viewer_closed(answer.session_id)

    async def _take_candidate(self, candidate: Candidate) -> None:
        viewer = self._viewer(candidate.id)
        if viewer.session_id is not None:
            await self._add_candidate(candidate.id, viewer.session_id, candidate.fragment)
        elif len(viewer.early_fragments) < MAX_EARLY_CANDIDATES:
            viewer.early_fragments.append(candidate.fragment)

    async def _add_candidate(self, viewer_id: str, session_id: str, fragment: str) -> None:
        try:
            await self._engine.add_candidates(session_id, fragment)
        except RemoteError as error:
            await self._send_problem(viewer_id, error)

    async def _close_viewer(self, viewer_id: str) -> None:
        viewer = self._viewer(viewer_id)
        if viewer.session_id is None:
            viewer.negotiation.cancel()
        else:
            await self._engine.close_viewer(viewer.session_id)

    def _viewer(self, viewer_id: str) -> _Viewer:
        viewer = self._viewers.get(viewer_id)
        if viewer is None:
            raise BadMessage("no viewer of this id is open on this socket; send an offer first", viewer_id)
        return viewer

    async def _send_problem(self, viewer_id: str | None, error: RemoteError) -> None:
        named = {} if viewer_id is None else {"id": viewer_id}
        await self._send("error", **named, problem=Problem.of_error(error).members())

    async def _send(self, kind: str, **fields: object) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))
