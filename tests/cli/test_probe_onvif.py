"""`camgate probe --onvif` against a scripted ONVIF camera whose streams are a scripted RTSP camera's, on loopback."""

import json
import re
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from tests.fakes.camera import FakeCamera
from tests.fakes.command import Outcome, camgate
from tests.fakes.onvif_camera import FakeOnvif, FakeProfile

PASSWORD = "hush-hush/pass@word"


async def probe(
    onvif: FakeOnvif, rtsp: FakeCamera, directory: Path, *arguments: str, liar: bool = False, **environ: str
) -> Outcome:
    """Run the command; the streams of `onvif` are at `{rtsp}`, which becomes the place of the RTSP camera."""

    async def connect(client: trio.SocketStream) -> None:
        inside = trio.SocketStream(trio.socket.from_stdlib_socket(await rtsp.dial("", 0, 0)))
        async with client, inside, trio.open_nursery() as copies:
            copies.start_soon(_copy, client, inside, copies.cancel_scope)
            copies.start_soon(_copy, inside, client, copies.cancel_scope)

    async with trio.open_nursery() as nursery, onvif.on_loopback() as place:
        nursery.start_soon(rtsp.run)
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, connect, listeners)
        host = "10.1.2.3" if liar else "127.0.0.1"
        rtsp_place = f"{host}:{listeners[0].socket.getsockname()[1]}"
        onvif.profiles = tuple(
            FakeProfile(each.token, each.url.replace("{rtsp}", rtsp_place), each.codec, each.width, each.height)
            for each in onvif.profiles
        )
        command = ["probe", "--onvif", place, *arguments]
        outcome = await trio.to_thread.run_sync(lambda: camgate(*command, directory=directory, **environ))
        nursery.cancel_scope.cancel()
    return outcome


async def _copy(source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError):
        async for data in source:
            await sink.send_all(data)
    both.cancel()


def onvif_camera(password: str = PASSWORD) -> FakeOnvif:
    onvif = FakeOnvif(
        FakeProfile("main", "rtsp://{rtsp}/live?a=1&b=${x}"),
        FakeProfile("sub", "rtsp://{rtsp}/sub", width=640, height=360),
        password=password,
    )
    onvif.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
    return onvif


def config_of(text: str) -> dict[str, dict[str, object]]:
    cameras: dict[str, dict[str, object]] = tomllib.loads(text)["cameras"]
    return cameras


@pytest.mark.parametrize("wants", ["token", "digest"])
async def test_as_json(tmp_path: Path, wants: str) -> None:
    onvif, rtsp = onvif_camera(), FakeCamera(username="viewer", password=PASSWORD)
    onvif.wants, onvif.named_host = wants, "0.0.0.0"
    arguments = ("--username=viewer", "--seconds=1", "--json")
    outcome = await probe(onvif, rtsp, tmp_path, *arguments, liar=True, CAMGATE_PASSWORD=PASSWORD)
    assert (outcome.code, outcome.err) == (0, "")
    facts = json.loads(outcome.out)
    assert (facts["codec"], facts["transport"]) == ("H264", "tcp")
    main, sub = facts["onvif"]["streams"]
    assert main["url"].startswith("rtsp://127.0.0.1:")
    assert (main["use"], main["codec"], main["width"], main["fps"], main["bitrate_kbps"]) == (
        "main",
        "H264",
        1920,
        25.0,
        4096,
    )
    assert sub["use"] == "sub"
    camera = config_of(facts["onvif"]["config"])["camera"]
    assert camera["url"] == main["url"].replace("${", "$${")
    assert camera["username"] == "viewer"
    assert camera["password"] == "${CAMERA_PASSWORD}"
    assert str(camera["onvif"]).startswith("127.0.0.1:")
    assert camera["sub"] == {"url": sub["url"]}
    assert "hush" not in outcome.out
    assert onvif.refused_proofs == 0


async def test_for_people_and_for_camgate(tmp_path: Path) -> None:
    outcome = await probe(onvif_camera(password=""), FakeCamera(), tmp_path, "--seconds=1")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.search(r"^mainStream +source0 +H264 +1920x1080 +25 +4096 +main +rtsp://127", outcome.out, re.MULTILINE)
    assert re.search(r"^browser +H\.264 Constrained Baseline 640x360", outcome.out, re.MULTILINE)
    block = outcome.out[outcome.out.index("# for camgate.toml") : outcome.out.index("\nbrowser")]
    (tmp_path / "camgate.toml").write_text(block)
    checked = camgate("check", directory=tmp_path)
    assert checked.code == 0, checked.err


async def test_a_wrong_password_is_tried_once(tmp_path: Path) -> None:
    onvif = onvif_camera()
    outcome = await probe(onvif, FakeCamera(), tmp_path, "--username=viewer", CAMGATE_PASSWORD="hush-wrong")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("camgate: the camera's ONVIF service refuses user name and password")
    assert outcome.err.count("\n") == 1
    assert "hush" not in outcome.err
    assert onvif.proofs == 1


async def test_streams_that_nobody_serves(tmp_path: Path) -> None:
    onvif = FakeOnvif(FakeProfile("main", "rtsp://127.0.0.1:1/live?password=hush"))
    outcome = await probe(onvif, FakeCamera(), tmp_path, "--json")
    assert outcome.code == 1
    facts = json.loads(outcome.out)
    assert "# The camera puts a login into this url" in facts["onvif"]["config"]
    assert outcome.err.startswith("camgate: 127.0.0.1:1 refuses the connection")
    assert "hush" not in outcome.out


async def test_a_camera_without_streams(tmp_path: Path) -> None:
    onvif = FakeOnvif(FakeProfile("main", "rtsp://{rtsp}/live", codec="JPEG"))
    outcome = await probe(onvif, FakeCamera(), tmp_path)
    assert outcome.code == 1
    assert outcome.err == (
        "camgate: the camera names no H.264 or H.265 stream by ONVIF: turn an encoder on in its menu\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--onvif", "a b"), "camgate: --onvif: is no address of an ONVIF service; write "),
        (("--onvif", "127.0.0.1:1"), "camgate: no ONVIF at 127.0.0.1:1: it refuses the connection"),
        (("--onvif", "h", "rtsp://h/"), "camgate: give either a URL, rtsp://HOST[:PORT]/PATH, or --onvif HOST[:PORT]"),
    ],
)
def test_mistakes_in_words(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    outcome = camgate("probe", *arguments, directory=tmp_path)
    assert outcome.code in (1, 2)
    assert outcome.err.startswith(words)
