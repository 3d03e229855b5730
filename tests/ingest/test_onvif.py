"""camgate's ONVIF client against a camera that checks logins for real, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import trio
from trio.testing import MockClock

from camgate.ingest.errors import CameraMute
from camgate.ingest.onvif import TIMEOUT_S, OnvifCamera
from camgate.wire.onvif.address import split_address_untrusted
from camgate.wire.onvif.errors import LoginNeeded, LoginRefused, MalformedReply, NoMedia, NoOnvif, OnvifFault
from camgate.wire.onvif.media import MediaVersion
from tests.fakes.onvif_camera import NOW, FakeOnvif, FakeProfile

PASSWORD = "pass&<word>é"


def client(camera: FakeOnvif, *, username: str | None = "viewer", password: str | None = PASSWORD) -> OnvifCamera:
    address = split_address_untrusted("192.0.2.7:8000")
    return OnvifCamera(address, username=username, password=password, dial=camera.dial, wall_clock=lambda: NOW)


@asynccontextmanager
async def running(camera: FakeOnvif) -> AsyncIterator[None]:
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        try:
            yield
        except Exception as error:
            failure = error  # raised below, alone and not in a group
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def first_url(camera: FakeOnvif, onvif: OnvifCamera) -> str | None:
    async with running(camera):
        await onvif.connect()
        profiles = await onvif.profiles()
        return await onvif.stream_url(profiles[0].token)


@pytest.mark.parametrize("wants", ["nothing", "token", "digest"])
async def test_a_login_is_proved_as_the_camera_asks(wants: str, autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    camera.wants = wants
    assert await first_url(camera, client(camera)) == "rtsp://192.0.2.7:554/main"
    assert camera.proofs == (0 if wants == "nothing" else 2)
    assert camera.refused_proofs == 0
    assert PASSWORD.encode() not in camera.seen


@pytest.mark.parametrize("wants", ["token", "digest"])
async def test_a_wrong_login_is_tried_once(wants: str, autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    camera.wants = wants
    with pytest.raises(LoginRefused, match="refuses user name and password; camgate tried once only"):
        await first_url(camera, client(camera, password="wrong"))
    assert (camera.proofs, camera.refused_proofs) == (1, 1)


async def test_a_login_that_nobody_gave(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    with pytest.raises(LoginNeeded, match="wants a login: give a user name"):
        await first_url(camera, client(camera, username=None, password=None))
    assert camera.proofs == 0


@pytest.mark.parametrize("hours", [-24 * 365 * 20, -1, 1])
async def test_a_camera_whose_clock_is_wrong(hours: int, autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    camera.clock = lambda: NOW + timedelta(hours=hours)
    assert await first_url(camera, client(camera)) is not None


async def test_a_camera_whose_clock_is_set_meanwhile(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    onvif = client(camera)
    await first_url(camera, onvif)
    camera.clock = lambda: NOW + timedelta(hours=1)
    async with running(camera):
        await onvif.request_key_frame("main")
        # The clock was right now, so that a refusal is one of the login.
        camera.password = "changed"
        with pytest.raises(LoginRefused):
            await onvif.request_key_frame("main")


async def test_nonces_for_one_request_each(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    camera.wants, camera.one_time_nonces = "digest", True
    assert await first_url(camera, client(camera)) is not None


async def test_a_user_without_rights(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    camera.rights = {"GetProfiles"}
    with pytest.raises(LoginRefused, match="lets this user in, but not do GetStreamUri"):
        await first_url(camera, client(camera))


@pytest.mark.parametrize("host", ["0.0.0.0", "10.9.8.7:81", "cam.lan"])
async def test_a_camera_that_names_other_hosts(host: str, autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.named_host = host
    assert await first_url(camera, client(camera)) == "rtsp://192.0.2.7:554/main"
    assert camera.dialled == {("192.0.2.7", 8000)}


async def test_media2_is_asked_for_h265_and_media_where_there_is_no_other(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(FakeProfile("m", "rtsp://{host}/m", codec="H265"))
    onvif = client(camera)
    async with running(camera):
        await onvif.connect()
        assert [profile.codec for profile in await onvif.profiles()] == ["H265"]
        assert onvif.media_version is MediaVersion.MEDIA2
        camera.faults["GetProfiles"] = "ter:ActionNotSupported"
        with pytest.raises(OnvifFault, match="ActionNotSupported"):
            await onvif.profiles()


@pytest.mark.parametrize("is_old", [True, False])
async def test_a_camera_without_media2(is_old: bool, autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.old, camera.versions = is_old, ("ver10",)
    onvif = client(camera)
    assert await first_url(camera, onvif) is not None
    assert onvif.media_version is MediaVersion.MEDIA


async def test_media2_that_has_nothing(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(FakeProfile("m", "rtsp://{host}/m", codec="JPEG"))
    assert await first_url(camera, client(camera)) == "rtsp://192.0.2.7/m"
    assert camera.operations.count("GetProfiles") == 2


async def test_a_device_without_media(autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.versions = ()
    with pytest.raises(NoMedia, match="no camera or recorder"):
        await first_url(camera, client(camera))


async def test_nobody_at_home(autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.away = "refuses the connection"
    with pytest.raises(NoOnvif, match=r"no ONVIF at 192.0.2.7:8000: it refuses the connection; turn ONVIF on"):
        await first_url(camera, client(camera))


@pytest.mark.parametrize(
    ("status", "body", "words"), [(404, b"<html/>", "it answers 404"), (200, b"<html/>", "a web page or the like")]
)
async def test_another_service(status: int, body: bytes, words: str, autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.raw["GetSystemDateAndTime"] = (status, body)
    with pytest.raises(NoOnvif, match=words):
        await first_url(camera, client(camera))


@pytest.mark.parametrize(("status", "body"), [(401, b"no"), (200, b"<Envelope><Body><x/></Body></Envelope>")])
async def test_a_camera_that_keeps_its_time_to_itself(status: int, body: bytes, autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password=PASSWORD)
    camera.raw["GetSystemDateAndTime"] = (status, body)
    assert await first_url(camera, client(camera)) is not None


async def test_an_answer_without_end(autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.raw["GetProfiles"] = (200, b" " * (3 << 20))
    with pytest.raises(MalformedReply, match="longer than 1 MiB"):
        await first_url(camera, client(camera))


class Odd(FakeOnvif):
    """Answers every request with something else than HTTP, or not at all."""

    def __init__(self, answer: bytes | None) -> None:
        super().__init__()
        self.answer = answer

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            if self.answer is None:
                await trio.sleep_forever()
            await stream.send_all(self.answer)


async def test_a_camera_that_never_answers(autojump_clock: MockClock) -> None:
    camera = Odd(None)
    with pytest.raises(CameraMute, match=r"no ONVIF server answers: .* is silent for 5 s"):
        await first_url(camera, client(camera))
    assert trio.current_time() == pytest.approx(TIMEOUT_S)


async def test_a_camera_that_hangs_up(autojump_clock: MockClock) -> None:
    camera = Odd(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<")
    with pytest.raises(NoOnvif, match="no whole HTTP answer"):
        await first_url(camera, client(camera))


async def test_a_camera_that_speaks_something_else(autojump_clock: MockClock) -> None:
    camera = Odd(b"SSH-2.0-OpenSSH\r\n\r\n")
    with pytest.raises(NoOnvif, match="it is no whole HTTP answer"):
        await first_url(camera, client(camera))
