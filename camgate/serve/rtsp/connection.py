"""One RTSP client's connection: the shell of `wire.rtsp.server`.

Tasks: the reader, which owns the conversation, and while the client plays a `Player` a track. All end with the
connection. Media that the client does not take in time is dropped up to a key frame by the subscription.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs

import trio
from trio.abc import Stream as ByteStream

from camgate.auth.identity import Identity
from camgate.base.budget import Budget
from camgate.base.log import get_logger
from camgate.relay.errors import CameraOffline, TrackGone, UnknownCamera, ViewerError
from camgate.serve.rtsp.description import StreamTrack, describe_tracks, tracks_of
from camgate.serve.rtsp.errors import TooManyClients
from camgate.serve.rtsp.guests import Guest
from camgate.serve.rtsp.outlet import InterleavedOutlet, Outlet, UdpOutlet
from camgate.serve.rtsp.player import Beginning, Player
from camgate.serve.rtsp.service import RtspService
from camgate.serve.rtsp.timing import SessionClock
from camgate.serve.rtsp.udp import UdpPorts
from camgate.wire.rtsp.errors import printable
from camgate.wire.rtsp.server import RtspServer
from camgate.wire.rtsp.server_events import (
    ConnectionEnded,
    Datagrams,
    Description,
    DescriptionWanted,
    Interleaved,
    LoginRefused,
    PlayedTrack,
    PlayRequested,
    ServedTrack,
    ServerEvent,
)
from camgate.wire.rtsp.server_states import ServerState

DESCRIBE_WAIT_S = 5.0
"""How long DESCRIBE waits for a camera that is not live: less than the 10 s that clients wait for an answer."""

WRITE_TIMEOUT_S = 10.0
"""A client that takes nothing for so long is gone, though its TCP connection may stand for ever."""

GOODBYE_S = 1.0
"""What saying goodbye may cost a shutdown."""

RECEIVE_BYTES = 512
"""Requests have some hundred bytes, receiver reports less. More at once would be a longer turn for who floods us with
requests of 32 bytes: 200 such clients held up media for 0.5 s when this was 4 kB."""

TURNS_PER_S, TURNS_BURST = 20.0, 50.0
"""Reads and requests of one client. A client makes eight requests to start, and then one or two in ten seconds."""

START_KEY = "key"
"""`?start=key`: begin with the next key frame."""

log = get_logger("serve.rtsp")


SendNow = Callable[[bytes | bytearray], int]
"""Sends without waiting; returns how many bytes left. Raises trio.BrokenResourceError."""


@dataclass(frozen=True, slots=True)
class UdpSide:
    """Where a connection's client can be sent datagrams: our ports, its address, and ours that it connected to."""

    ports: UdpPorts
    host: str
    local: str


@dataclass(frozen=True, slots=True)
class DescribedCamera:
    """What a client was told of a camera: its tracks by control, and whether it wants to begin with a key frame."""

    tracks: Mapping[str, StreamTrack]
    is_from_key: bool


class Connection:
    """Serves one client until one of both hangs up. Made for one call of `run`.

    udp: None where media goes through the connection only. send_now: sends past `stream` what the kernel takes at once;
    None where there is no such way.
    """

    def __init__(
        self,
        stream: ByteStream,
        server: RtspServer,
        service: RtspService,
        guest: Guest,
        *,
        udp: UdpSide | None = None,
        send_now: SendNow | None = None,
    ) -> None:
        self._stream = stream
        self._send_now = send_now
        self._server = server
        self._service = service
        self._guest = guest
        self._udp = udp
        self._pace = Budget(TURNS_BURST, TURNS_PER_S)
        self._wanting = ExitStack()
        self._holding = ExitStack()
        self._described: dict[str, DescribedCamera] = {}
        self._ssrcs: dict[str, int] = {}
        self._sending = trio.Lock()
        self._was_cut = False
        self._identity: Identity | None = None

    async def run(self) -> None:
        """Converse until the end; cancelled, say goodbye first."""
        try:
            with self._wanting, self._holding:
                async with trio.open_nursery() as nursery:
                    await self._converse(nursery)
                    nursery.cancel_scope.cancel()
        except* trio.BrokenResourceError:
            log.info("RTSP client is gone", address=self._guest.place)
        except* trio.TooSlowError:
            log.warning(
                "RTSP client takes nothing any more, closed", address=self._guest.place, after_s=WRITE_TIMEOUT_S
            )

    async def _converse(self, nursery: trio.Nursery) -> None:
        while self._server.state is not ServerState.CLOSED:
            requests = self._server.requests_received
            await self._receive()
            while events := self._server.events():
                for event in events:
                    await self._handle(event, nursery)
            await self._wait_for_guessers()
            await self._flush()
            turns = 1 + self._server.requests_received - requests
            if pause_s := self._pace.spend(trio.current_time(), turns):
                await trio.sleep(pause_s)

    async def _receive(self) -> None:
        deadline = self._server.next_deadline()
        assert deadline is not None
        with trio.move_on_at(deadline):
            data = await self._stream.receive_some(RECEIVE_BYTES)
            if data:
                self._server.receive_data(data, trio.current_time())
            else:
                self._server.receive_eof()
        self._server.handle_deadline(trio.current_time())

    async def _handle(self, event: ServerEvent, nursery: trio.Nursery) -> None:
        match event:
            case DescriptionWanted(path, query):
                await self._describe(path, query)
            case PlayRequested(path, tracks):
                await self._start_playing(path, tracks, nursery)
            case LoginRefused(path, username, password):
                if not await self._is_let_in(path, username, password):
                    await self._refuse_login()
            case ConnectionEnded(reason, is_fault):
                write = log.warning if is_fault else log.info
                write("RTSP connection ended", address=self._guest.place, reason=reason)

    async def _describe(self, path: str, query: str) -> None:
        try:
            source = self._service.find(path)
            # A camera on demand is dialled for this, and kept until the client plays or leaves.
            self._wanting.close()
            self._wanting.enter_context(source.want())
            await source.wait_live(DESCRIBE_WAIT_S)
        except (UnknownCamera, CameraOffline) as error:
            self._refuse(path, error)
            return
        tracks = tracks_of(source)
        # By path, since a client may ask for one camera after it has set up another.
        is_from_key = parse_qs(query).get("start") == [START_KEY]
        self._described[path] = DescribedCamera({track.control: track for track in tracks}, is_from_key)
        served = tuple(ServedTrack(track.control, self._ssrc(track.control)) for track in tracks)
        self._server.describe(Description(str(describe_tracks(path, tracks)), served), trio.current_time())

    async def _start_playing(self, path: str, tracks: tuple[PlayedTrack, ...], nursery: trio.Nursery) -> None:
        described = self._described[path]
        try:
            self._service.find(path)
            if any(played.track.control not in described.tracks for played in tracks):
                raise TrackGone(path)
            self._service.admit()
            self._service.guests.play(self._guest, path)
        except (ViewerError, TooManyClients) as error:
            self._refuse(path, error)
            return
        self._guest.user = self._server.username
        if self._identity is not None:
            # With the connection, which a client that may play no more loses.
            self._holding.enter_context(
                self._service.leases.holding(self._identity, self._lose_right, path.partition("/")[0])
            )
        self._guest.transport = "+".join(sorted({_transport_name(track) for track in tracks}, reverse=True))
        # One clock for all tracks, so that they stay together.
        clock = SessionClock(epoch_s=time.time() - trio.current_time())
        players: list[Player] = []
        beginnings: list[Beginning] = []
        for played in tracks:
            player = self._make_player(described, played, clock, nursery)
            lead_s = max((beginning.lead_s for beginning in beginnings), default=0.0)
            beginning = await nursery.start(self._run_player, player, lead_s, nursery.cancel_scope)
            players.append(player)
            beginnings.append(beginning)
        self._wanting.close()
        self._server.accept_play([beginning.start for beginning in beginnings], trio.current_time())
        log.info("RTSP client plays", camera=path, address=self._guest.place, transport=self._guest.transport)
        await self._flush()
        for player in players:
            player.go.set()

    def _ssrc(self, control: str) -> int:
        return self._ssrcs.setdefault(control, secrets.randbits(32))

    def _make_player(
        self, camera: DescribedCamera, played: PlayedTrack, clock: SessionClock, nursery: trio.Nursery
    ) -> Player:
        track = camera.tracks[played.track.control]
        outlet: Outlet
        match played.way:
            case Interleaved():
                outlet = InterleavedOutlet(self._send, played.way)
            case Datagrams(rtp_port, rtcp_port):
                assert self._udp is not None
                outlet = UdpOutlet(*self._udp.ports.routes(self._udp.host, (rtp_port, rtcp_port), self._udp.local))
                nursery.start_soon(self._hear_reports, self._udp, rtcp_port)
        layouts = self._service.layouts.of(track)
        return Player(track, played.track.ssrc, outlet, layouts, self._guest, clock, from_key=camera.is_from_key)

    async def _run_player(
        self,
        player: Player,
        lead_s: float,
        connection: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[Beginning],
    ) -> None:
        await partial(player.run, task_status=task_status)(lead_s, GOODBYE_S)
        connection.cancel()

    async def _hear_reports(self, udp: UdpSide, rtcp_port: int) -> None:
        with udp.ports.heard((udp.host, rtcp_port), lambda: self._server.receive_report(trio.current_time())):
            await trio.sleep_forever()

    async def _is_let_in(self, path: str, username: str | None, password: str | None) -> bool:
        """Ask about a login that is none of ours; whether it was answered."""
        ask = self._service.admit_login
        if ask is None or username is None or password is None:
            return False
        camera = path.partition("/")[0]
        try:
            identity = await ask(username, password, self._guest.host, camera)
        except ViewerError as error:
            self._refuse(path, error)
            return True
        if identity is None:
            return False
        self._identity = identity
        self._server.accept_login(identity.name, trio.current_time())
        return True

    def _lose_right(self, reason: str) -> None:
        log.info("RTSP client cut off", address=self._guest.place, camera=self._guest.camera, reason=reason)
        self._guest.scope.cancel()

    async def _wait_for_guessers(self) -> None:
        """Hold answers back while this address owes pauses: else right logins would be told from wrong ones at once."""
        guest, brake = self._guest, self._service.brake
        if guest.camera is not None or not self._server.has_data_to_send:
            return
        if brake.is_over(guest.network, trio.current_time()):
            log.warning("RTSP connection closed: its address tries too many passwords", address=guest.place)
            guest.scope.cancel()
        await trio.sleep(brake.wait_s(guest.network, trio.current_time()))

    async def _refuse_login(self) -> None:
        guest = self._guest
        self._service.guests.failed_logins += 1
        if self._service.brake.is_over(guest.network, trio.current_time()):
            self._server.refuse_login(trio.current_time())
            return
        pause_s = self._service.brake.pause_s(guest.network, trio.current_time())
        log.warning("RTSP login refused: wrong user name or password", address=guest.place, pause_s=pause_s)
        await trio.sleep(pause_s)
        self._server.refuse_login(trio.current_time())

    def _refuse(self, path: str, error: ViewerError | TooManyClients) -> None:
        log.info("RTSP client refused", address=self._guest.place, path=printable(path), reason=str(error))
        self._server.refuse(error.status, trio.current_time(), reason=str(error))

    async def _send(self, data: bytes | bytearray, packet_count: int) -> None:
        """Send packets. The hot path: mostly the kernel takes them, and nobody has to wait."""
        if self._send_now is None or self._sending.locked() or self._server.has_data_to_send:
            self._server.send_interleaved(data, packet_count)
            await self._flush()
        elif self._server.count_sent(packet_count) and not self._was_cut:
            sent = self._send_now(data)
            if sent < len(data):
                self._was_cut = sent > 0
                # Nobody has had a turn since, so the lock is free.
                async with self._sending:
                    await self._send_all(memoryview(data)[sent:])

    async def _flush(self) -> None:
        """Send what there is to send."""
        async with self._sending:
            data = self._server.data_to_send()
            # Behind half a packet the client could not read anything.
            if data and not self._was_cut:
                await self._send_all(data)

    async def _send_all(self, data: bytes | memoryview) -> None:
        self._was_cut = True
        with trio.fail_after(WRITE_TIMEOUT_S):
            await self._stream.send_all(data)
        self._was_cut = False


def _transport_name(track: PlayedTrack) -> str:
    return "tcp" if isinstance(track.way, Interleaved) else "udp"
