"""One RTSP client's connection in virtual time, played by camgate's own client."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.rtsp.connection import DESCRIBE_WAIT_S, TURNS_BURST, TURNS_PER_S, WRITE_TIMEOUT_S, Connection
from camgate.serve.rtsp.guests import Guest
from camgate.serve.rtsp.player import REPORT_INTERVAL_S
from camgate.serve.rtsp.service import RtspService
from camgate.serve.rtsp.strangers import GUESS_PAUSE_S, MAX_OWED_S
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import Bye, SenderReport
from camgate.wire.rtsp.errors import AuthenticationFailed, UnexpectedStatus
from camgate.wire.rtsp.server import TIMEOUT_GRACE_S, Access, RtspServer, ServerPolicies, open_to_all
from camgate.wire.rtsp.server_login import hash_password
from tests.fakes.camera import PPS, SPS
from tests.fakes.rtsp_player import RtspPlayer

URL = "rtsp://camgate.test/front-door"
FPS = 25
FORMAT = VideoFormat(sps=SPS, pps=PPS, profile_level_id="42c01e", width=640, height=360, fps=FPS)


@dataclass
class Scene:
    """A registry with one live camera, and connections to it."""

    registry: Registry
    source: Source
    nursery: trio.Nursery
    service: RtspService
    guests: list[Guest] = field(default_factory=list)
    published: int = 0

    def publish(self, count: int = 1) -> None:
        """Publish pictures; each tenth is a key frame."""
        for _ in range(count):
            self.source.publish(self.frame(self.published))
            self.published += 1

    def frame(self, number: int, *, size_bytes: int = 3000) -> Frame:
        """Return picture `number`, which says so at its start."""
        is_key = number % 10 == 0
        start = b"\x65\x88\x84" if is_key else b"\x41\x9a\x02"
        picture = start + b"%08d" % number + bytes(size_bytes) + b"\x80"
        return Frame((SPS, PPS, picture) if is_key else (picture,), number * 3600, trio.current_time(), is_key)

    async def film(self) -> None:
        """Publish at 25 fps."""
        while True:
            self.publish()
            await trio.sleep(1 / FPS)

    def connect(
        self, server_end: trio.abc.Stream, *, access: Access = open_to_all, policies: ServerPolicies | None = None
    ) -> Callable[[], None]:
        """Serve one end of a connection; returns what cancels that."""
        scope = trio.CancelScope()
        server = RtspServer(trio.current_time(), access=access, policies=policies)
        guest = Guest("192.0.2.1", f"192.0.2.1:{len(self.guests)}", scope)
        self.guests.append(guest)
        connection = Connection(server_end, server, self.service, guest)
        self.nursery.start_soon(partial(self._serve, connection, server_end, guest))
        return scope.cancel

    async def _serve(self, connection: Connection, stream: trio.abc.Stream, guest: Guest) -> None:
        with self.service.guests.enter(guest), guest.scope:
            async with stream:
                await connection.run()


@asynccontextmanager
async def open_scene() -> AsyncIterator[Scene]:
    source = Source("front-door")
    source.set_format(FORMAT)
    source.set_state(CameraState.LIVE)
    registry = Registry()
    registry.add(source)
    async with trio.open_nursery() as nursery:
        yield Scene(registry, source, nursery, RtspService(registry=registry))
        nursery.cancel_scope.cancel()


@pytest.fixture
async def scene(autojump_clock: MockClock) -> AsyncIterator[Scene]:
    async with open_scene() as scene:
        yield scene


def numbers(frames: list[Frame]) -> list[int]:
    return [int(frame.nals[-1][3:11]) for frame in frames]


async def asked(stream: trio.abc.Stream, method: str, url: str, *headers: str) -> str:
    """Send a request, and return the answer."""
    await stream.send_all("\r\n".join([f"{method} {url} RTSP/1.0", "CSeq: 1", *headers, "", ""]).encode())
    return bytes(await stream.receive_some()).decode("latin-1")


async def read_to_the_end(stream: trio.abc.ReceiveStream) -> None:
    while await stream.receive_some(65_536):
        pass


async def test_a_client_starts_with_the_cached_pictures(autojump_clock: MockClock, scene: Scene) -> None:
    scene.publish(25)
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(player.run)
    assert numbers(await player.wait_frames(5)) == [20, 21, 22, 23, 24]
    scene.publish(7)
    frames = await player.wait_frames(12)
    assert numbers(frames) == list(range(20, 32))
    assert frames[0].nals[:2] == (SPS, PPS)
    assert player.depacketizer.statistics().packets_lost == 0
    assert player.described is not None
    assert player.described.tracks[0].parameter_sets == (SPS, PPS)


async def test_without_cached_pictures_a_client_starts_at_the_next_key_frame(
    autojump_clock: MockClock, scene: Scene
) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(player.run)
    await trio.sleep(1)
    scene.published = 5
    scene.publish(10)
    assert numbers(await player.wait_frames(5)) == [10, 11, 12, 13, 14]


async def test_media_time_goes_on_at_the_cameras_pace(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(scene.film)
    scene.nursery.start_soon(player.run)
    frames = await player.wait_frames(30)
    steps = [(b.rtp_time - a.rtp_time) % 2**32 for a, b in pairwise(frames[10:])]
    assert set(steps) == {3600}


async def test_sender_reports_tell_both_clocks(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(scene.film)
    scene.nursery.start_soon(player.run)
    await trio.sleep(3 * REPORT_INTERVAL_S + 1)
    reports = [report for report in player.reports if isinstance(report, SenderReport)]
    assert len(reports) == 4
    assert reports[-1].packet_count > reports[0].packet_count


async def test_keepalives_hold_a_session_and_silence_ends_it(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    async with trio.open_nursery() as viewing:
        viewing.start_soon(player.run)
        await trio.sleep(300)
        assert player.client.statistics().keepalives_answered > 3
        viewing.cancel_scope.cancel()
    silent_since_s = trio.current_time()
    await read_to_the_end(client_end)
    assert 0 < trio.current_time() - silent_since_s <= 60 + TIMEOUT_GRACE_S


async def test_an_unknown_camera(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    with pytest.raises(UnexpectedStatus, match="404"):
        await RtspPlayer(client_end, URL + "-2").run()


async def test_a_camera_that_is_not_live_is_waited_for(autojump_clock: MockClock, scene: Scene) -> None:
    scene.source.set_state(CameraState.CONNECTING)
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    with pytest.raises(UnexpectedStatus, match="503"):
        await RtspPlayer(client_end, URL).run()
    assert trio.current_time() == pytest.approx(DESCRIBE_WAIT_S)

    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(player.run)
    await trio.sleep(DESCRIBE_WAIT_S / 2)
    scene.source.set_state(CameraState.LIVE)
    scene.publish()
    await player.wait_frames(1)


async def test_a_camera_with_a_password(autojump_clock: MockClock, scene: Scene) -> None:
    access = {"front-door": {"viewer": hash_password("viewer", "secret")}}.get
    scene.publish()
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end, access=access)
    with pytest.raises(AuthenticationFailed, match="wrong user name or password"):
        await RtspPlayer(client_end, URL, username="viewer", password="guess").run()

    client_end, server_end = memory_stream_pair()
    scene.connect(server_end, access=access)
    player = RtspPlayer(client_end, URL, username="viewer", password="secret")
    scene.nursery.start_soon(player.run)
    await player.wait_frames(1)


async def test_a_slow_client_skips_to_a_key_frame_and_sees_no_gap(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = lockstep_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(scene.film)
    scene.nursery.start_soon(player.run)
    before = numbers(await player.wait_frames(10))
    player.pause()
    await trio.sleep(WRITE_TIMEOUT_S / 2)
    player.go_on()
    await trio.sleep(1)
    seen = numbers(player.frames)
    (gap,) = [(a, b) for a, b in pairwise(seen) if b != a + 1]
    assert gap[0] >= before[-1]
    assert gap[1] % 10 == 0
    assert gap[1] - gap[0] > 25
    assert player.depacketizer.statistics().packets_lost == 0


async def test_a_client_that_takes_nothing_is_closed(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = lockstep_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(scene.film)
    scene.nursery.start_soon(player.run)
    await player.wait_frames(1)
    player.pause()
    await trio.sleep(WRITE_TIMEOUT_S + 1)
    assert scene.source.stream.statistics().subscribers == 0
    with pytest.raises(trio.BrokenResourceError):
        await client_end.send_all(b"x")


async def test_a_camera_that_is_removed_says_goodbye(autojump_clock: MockClock, scene: Scene) -> None:
    scene.publish()
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    async with trio.open_nursery() as viewing:
        viewing.start_soon(player.run)
        await player.wait_frames(1)
        scene.registry.remove("front-door")
    assert isinstance(player.reports[-1], Bye)


async def test_a_shutdown_says_goodbye(autojump_clock: MockClock, scene: Scene) -> None:
    scene.publish()
    client_end, server_end = memory_stream_pair()
    stop = scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    async with trio.open_nursery() as viewing:
        viewing.start_soon(player.run)
        await player.wait_frames(1)
        stop()
    assert isinstance(player.reports[-1], Bye)


async def test_a_shutdown_does_not_wait_for_a_client_that_takes_nothing(
    autojump_clock: MockClock, scene: Scene
) -> None:
    client_end, server_end = lockstep_stream_pair()
    stop = scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(scene.film)
    scene.nursery.start_soon(player.run)
    await player.wait_frames(1)
    player.pause()
    await trio.sleep(1)
    stop()
    await trio.sleep(0.01)
    assert scene.source.stream.statistics().subscribers == 0


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_leaves_is_forgotten(autojump_clock: MockClock, scene: Scene, politely: bool) -> None:
    scene.publish()
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    async with trio.open_nursery() as viewing:
        viewing.start_soon(player.run)
        await player.wait_frames(1)
        assert scene.source.stream.statistics().subscribers == 1
        ((_, layouts),) = scene.service.layouts._by_stream.values()
        assert layouts._kept
        viewing.cancel_scope.cancel()
    await (player.teardown() if politely else client_end.aclose())
    scene.publish()
    await trio.sleep(0.01)
    assert scene.source.stream.statistics().subscribers == 0
    assert not layouts._kept


async def test_a_connection_that_breaks_while_frames_go_out(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = lockstep_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    async with trio.open_nursery() as viewing:
        viewing.start_soon(scene.film)
        viewing.start_soon(player.run)
        await player.wait_frames(1)
        player.pause()
        await trio.sleep(1)
        viewing.cancel_scope.cancel()
    await client_end.aclose()
    await trio.sleep(0.01)
    assert scene.source.stream.statistics().subscribers == 0


async def test_a_camera_that_is_removed_before_it_is_played(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    transport = "Transport: RTP/AVP/TCP;unicast"
    await client_end.send_all(f"SETUP {URL}/track0 RTSP/1.0\r\nCSeq: 1\r\n{transport}\r\n\r\n".encode())
    answer = (await client_end.receive_some()).decode()
    session = answer.partition("Session: ")[2].partition(";")[0]
    scene.registry.remove("front-door")
    await client_end.send_all(f"PLAY {URL} RTSP/1.0\r\nCSeq: 2\r\nSession: {session}\r\n\r\n".encode())
    assert (await client_end.receive_some()).startswith(b"RTSP/1.0 404 Not Found: There is no camera 'front-door'")


async def test_who_asks_for_a_key_frame_gets_nothing_of_the_past(autojump_clock: MockClock, scene: Scene) -> None:
    scene.publish(15)
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL + "?start=key")
    scene.nursery.start_soon(player.run)
    await trio.sleep(0.04)
    for _ in range(20):
        scene.publish()
        await trio.sleep(0.04)
    frames = await player.wait_frames(10)
    assert numbers(frames) == list(range(20, 30))
    assert {(b.rtp_time - a.rtp_time) % 2**32 for a, b in pairwise(frames)} == {3600}


async def test_a_wrong_password_has_to_wait(autojump_clock: MockClock, scene: Scene) -> None:
    access = {"front-door": {"viewer": hash_password("viewer", "secret")}}.get
    for tries in (1, 2):
        client_end, server_end = memory_stream_pair()
        scene.connect(server_end, access=access)
        began_s = trio.current_time()
        with pytest.raises(AuthenticationFailed):
            await RtspPlayer(client_end, URL, username="viewer", password="guess").run()
        assert trio.current_time() - began_s == pytest.approx(GUESS_PAUSE_S)
        assert scene.service.guests.failed_logins == tries


LOCKED: Access = {"front-door": {"viewer": hash_password("viewer", "secret")}}.get


async def guess(scene: Scene, *passwords: str) -> None:
    """Try passwords by Basic, each on a connection of its own, and hang up before anything can be told from it."""
    for password in passwords:
        client_end, server_end = memory_stream_pair()
        hang_up = scene.connect(server_end, access=LOCKED, policies=ServerPolicies(offers_basic=True))
        await client_end.send_all(described_by(password))
        await trio.testing.wait_all_tasks_blocked()
        hang_up()


def described_by(password: str, accept: str = "application/sdp") -> bytes:
    login = base64.b64encode(f"viewer:{password}".encode()).decode()
    lines = [f"DESCRIBE {URL} RTSP/1.0", "CSeq: 1", f"Authorization: Basic {login}", f"Accept: {accept}", "", ""]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize(
    ("password", "accept", "status"),
    [("secret", "application/sdp", 200), ("secret", "text/plain", 406), ("guess", "application/sdp", 401)],
)
async def test_who_hangs_up_on_wrong_passwords_waits_with_the_next_one_right_or_wrong(
    password: str, accept: str, status: int, autojump_clock: MockClock, scene: Scene
) -> None:
    """Else a guesser knows within a round trip that nothing comes, and tries the next one on another connection."""
    scene.publish()
    await guess(scene, *map(str, range(5)))
    assert scene.service.guests.failed_logins == 5
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end, access=LOCKED, policies=ServerPolicies(offers_basic=True))
    began_s = trio.current_time()
    await client_end.send_all(described_by(password, accept))
    answer = bytes(await client_end.receive_some())
    assert answer.startswith(b"RTSP/1.0 %d " % status)
    assert trio.current_time() - began_s == pytest.approx((5 + (status == 401)) * GUESS_PAUSE_S)


@pytest.mark.parametrize("password", ["secret", "guess"])
async def test_an_address_that_guesses_too_much_is_told_nothing_until_it_rests(
    password: str, autojump_clock: MockClock, scene: Scene
) -> None:
    scene.publish()
    await guess(scene, *map(str, range(2 * int(MAX_OWED_S))))
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end, access=LOCKED, policies=ServerPolicies(offers_basic=True))
    await client_end.send_all(described_by(password))
    assert await client_end.receive_some() == b""
    await trio.sleep(MAX_OWED_S)
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end, access=LOCKED, policies=ServerPolicies(offers_basic=True))
    await client_end.send_all(described_by("secret"))
    assert bytes(await client_end.receive_some()).startswith(b"RTSP/1.0 200 ")


async def test_who_plays_does_not_wait_for_guessers_at_the_same_address(
    autojump_clock: MockClock, scene: Scene
) -> None:
    scene.publish()
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    scene.nursery.start_soon(scene.film)
    scene.nursery.start_soon(player.run)
    before = numbers(await player.wait_frames(10))
    await guess(scene, *map(str, range(2 * int(MAX_OWED_S))))
    began_s = trio.current_time()
    after = numbers(await player.wait_frames(20))
    assert after[: len(before)] == before
    assert trio.current_time() - began_s < 1


async def test_another_codec_ends_the_session_so_that_clients_ask_again(
    autojump_clock: MockClock, scene: Scene
) -> None:
    scene.publish(5)
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    async with trio.open_nursery() as viewing:
        viewing.start_soon(player.run)
        await player.wait_frames(5)
        scene.source.set_format(replace(FORMAT, codec="H265"))
        scene.publish(6)
    # Nothing of what comes under the new codec reaches a client that was told of the old one.
    assert len(player.frames) == 5
    assert isinstance(player.reports[-1], Bye)


async def test_a_camera_on_demand_is_wanted_from_the_first_question_on(autojump_clock: MockClock, scene: Scene) -> None:
    scene.source.set_state(CameraState.IDLE)
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL)
    async with trio.open_nursery() as viewing:
        viewing.start_soon(player.run)
        await trio.sleep(1)
        assert scene.source.wants.count
        scene.source.set_state(CameraState.LIVE)
        scene.publish()
        await player.wait_frames(1)
        assert scene.source.wants.count
        viewing.cancel_scope.cancel()
    await client_end.aclose()
    await trio.sleep(1)
    assert not scene.source.wants.count


async def test_a_client_that_only_asked_lets_go_of_the_camera(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    await client_end.send_all(f"DESCRIBE {URL} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
    await client_end.receive_some()
    assert scene.source.wants.count
    await read_to_the_end(client_end)
    assert not scene.source.wants.count


async def test_sound_and_pictures_share_a_clock(autojump_clock: MockClock, scene: Scene) -> None:
    scene.source.begin_session()
    scene.source.begin_audio(AudioFormat(codec="PCMA", clock_hz=8000))
    for number in range(45):
        await trio.sleep_until(number * 0.04)
        scene.publish()
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    player = RtspPlayer(client_end, URL, with_sound=True)
    scene.nursery.start_soon(player.run)
    await player.wait_frames(5)
    for number in range(45, 300):
        await trio.sleep_until(number * 0.04)
        scene.publish()
        scene.source.publish_audio(Frame((bytes([number % 256]) * 320,), number * 320, trio.current_time(), True))
    await trio.sleep(0.1)
    assert len(player.frames) == 5 + 255
    assert len(player.sound) == 255
    assert {len(packet.payload) for packet in player.sound} == {320}
    assert not any(packet.marker for packet in player.sound)
    assert player.depacketizer.statistics().packets_lost == 0
    for picture_report, sound_report in zip(player.reports, player.sound_reports, strict=True):
        assert isinstance(picture_report, SenderReport)
        assert isinstance(sound_report, SenderReport)
        # Both were taken of frame 299 and of the sound with it: by the reports they belong to the same moment.
        picture_s, sound_s = (
            report.unix_time_s + ((last - report.rtp_timestamp + 2**31) % 2**32 - 2**31) / clock_hz
            for report, last, clock_hz in (
                (picture_report, player.frames[-1].rtp_time, 90_000),
                (sound_report, player.sound[-1].timestamp, 8000),
            )
        )
        assert picture_s == pytest.approx(sound_s, abs=0.002)


async def test_a_flood_of_requests_is_slowed_down(autojump_clock: MockClock, scene: Scene) -> None:
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    await client_end.send_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 2000)
    answers = bytearray()
    while answers.count(b"200 OK") < 2000:
        answers += await client_end.receive_some()
    assert trio.current_time() > (2000 - TURNS_BURST) / TURNS_PER_S * 0.9


async def test_a_sub_stream_is_behind_its_cameras_name(autojump_clock: MockClock, scene: Scene) -> None:
    sub = Source("front-door")
    sub.set_format(FORMAT)
    sub.set_state(CameraState.LIVE)
    sub.publish(scene.frame(30))
    for url, is_there in ((URL + "/sub", False), (URL + "/sub", True), (URL + "/other", False)):
        client_end, server_end = memory_stream_pair()
        scene.connect(server_end)
        player = RtspPlayer(client_end, url)
        if is_there:
            scene.source.attach_sub(sub)
            scene.nursery.start_soon(player.run)
            assert numbers(await player.wait_frames(1)) == [30]
        else:
            with pytest.raises(UnexpectedStatus, match="404"):
                await player.run()


async def test_what_is_asked_in_between_does_not_change_what_is_played(autojump_clock: MockClock, scene: Scene) -> None:
    other = Source("garden")
    other.set_format(FORMAT)
    other.set_state(CameraState.LIVE)
    scene.registry.add(other)
    scene.publish()
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    ask = partial(asked, client_end)
    answer = await ask("SETUP", f"{URL}/track0", "Transport: RTP/AVP/TCP;unicast")
    session = "Session: " + answer.partition("Session: ")[2].partition(";")[0]
    assert "200 OK" in await ask("DESCRIBE", URL.replace("front-door", "garden"))
    assert "200 OK" in await ask("PLAY", URL, session)
    assert scene.source.stream.statistics().subscribers == 1
    assert other.stream.statistics().subscribers == 0


async def test_a_track_that_the_camera_sends_no_more_is_not_played(autojump_clock: MockClock, scene: Scene) -> None:
    scene.source.begin_session()
    scene.source.begin_audio(AudioFormat(codec="PCMA", clock_hz=8000))
    scene.publish()
    client_end, server_end = memory_stream_pair()
    scene.connect(server_end)
    ask = partial(asked, client_end)
    answer = await ask("SETUP", f"{URL}/track1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    session = "Session: " + answer.partition("Session: ")[2].partition(";")[0]
    scene.source.begin_audio(None)
    assert "200 OK" in await ask("DESCRIBE", URL)
    assert "404 Not Found: Camera 'front-door' no longer sends a track that was set up" in await ask(
        "PLAY", URL, session
    )
    assert "200 OK" in await ask("OPTIONS", URL)
