"""The canary password stands wherever a secret can; then all that camgate wrote, said and showed is searched for it."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import h11
import pytest
import trio
from trio_websocket import open_websocket_url

from tests.canary.canary import CANARY, FORMS, PLANTED, USERNAME, files_with_canary, processes_with_canary
from tests.fakes.gst import GstCamera, gst_camera
from tests.fakes.onvif_camera import FakeOnvif, FakeProfile

pytestmark = pytest.mark.interop

PATIENCE_S = 60
"""Generous, for machines that do much else."""
OFFER = Path(__file__).parent.parent / "fixtures" / "offers" / "firefox-153-linux.sdp"
BASIC = base64.b64encode(f"{USERNAME}:{CANARY}".encode()).decode()
CAMGATE = (sys.executable, "-m", "camgate")


class Evidence:
    """A folder in which everything is kept that camgate let out, a file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def keep(self, name: str, data: bytes | str) -> None:
        (self.folder / name).write_bytes(data.encode() if isinstance(data, str) else data)

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """The folder of what is given to camgate, which is not searched."""
    folder = tmp_path / PLANTED
    folder.mkdir()
    return folder


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "evidence")


@asynccontextmanager
async def login_camera(planted: Path, password: str) -> AsyncIterator[GstCamera]:
    """Run a camera that wants this password. It reads it from a file, to keep its own command line clean."""
    arguments = planted / f"camera-{secrets.token_hex(4)}"
    arguments.write_text(f"--username={USERNAME}\n--password={password}\n--login=digest\n")
    async with gst_camera(f"@{arguments}") as camera:
        yield camera


def write_config(planted: Path, logs: Path, welcoming: GstCamera, refusing: GstCamera, onvif: dict[str, str]) -> Path:
    """Write a config with the canary in every place that can hold a password; its environment has it as well.

    onvif: places of ONVIF services that want it, by camera.
    """
    (planted / "password").write_text(CANARY + "\n")
    host = welcoming.url.removeprefix("rtsp://")
    other_host = refusing.url.removeprefix("rtsp://")
    login = {"url": welcoming.url, "username": USERNAME}
    cameras = {
        "in-config": {**login, "password": CANARY},
        "in-file": {**login, "password_file": "password"},
        "in-environment": {**login, "password": "${CANARY_OF_CAMERA}"},
        "in-url": {"url": f"rtsp://{USERNAME}:{CANARY}@{host}"},
        "in-url-from-environment": {"url": f"rtsp://{USERNAME}:${{CANARY_OF_CAMERA}}@{host}"},
        "in-url-escaped": {"url": f"rtsp://{USERNAME}:{CANARY.replace('-', '%2D')}@{host}"},
        "in-path": {"url": f"rtsp://{host}/user={USERNAME}_password={CANARY}_channel=1_stream=0.sdp"},
        "in-query": {"url": f"rtsp://{host}?usr={USERNAME}&pwd={CANARY}"},
        "wrong": {"url": refusing.url, "username": USERNAME, "password": CANARY},
        "wrong-in-url": {"url": f"rtsp://{USERNAME}:{CANARY}@{other_host}"},
        **{name: {**login, "password": CANARY, "onvif": place} for name, place in onvif.items()},
        "away": {"url": f"rtsp://{USERNAME}:{CANARY}@127.0.0.1:1/cam"},
    }
    lines = ['[server]\nlisten = "127.0.0.1:0"\nunix_socket = ""', "[webrtc]\nport = 0"]
    lines.append(f'[logging]\nlevel = "debug"\noutput = "both"\ndirectory = {json.dumps(str(logs))}')
    webhook = json.dumps(f"http://127.0.0.1:1/api/webhook/{CANARY}")
    lines += [
        "[webhooks.house]",
        f"url = {webhook}",
        f'secret = "whsec_{base64.b64encode(CANARY.encode() * 2).decode()}"',
    ]
    for name, keys in cameras.items():
        lines += [f"[cameras.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    config = planted / "camgate.toml"
    config.write_text("\n".join(lines) + "\n")
    return config


def environment() -> dict[str, str]:
    return {**os.environ, "CANARY_OF_CAMERA": CANARY, "CAMGATE_PASSWORD": CANARY, "NO_COLOR": "1", "COLUMNS": "200"}


class Camgate:
    """A running `camgate run`: its address and its process."""

    def __init__(self, process: trio.Process, port: int) -> None:
        self.process = process
        self.port = port

    async def get(self, target: str, *, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
        """Make a request; returns the answer whole, its head in front."""
        client = h11.Connection(h11.CLIENT)
        fields = [("Host", f"127.0.0.1:{self.port}"), ("Connection", "close"), ("Content-Length", str(len(body)))]
        fields += [(name.replace("_", "-"), value) for name, value in headers.items()]
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            request = h11.Request(method=method, target=target, headers=fields)
            await stream.send_all(client.send(request) + client.send(h11.Data(data=body)))
            answer = b""
            async for data in stream:
                answer += data
        return answer

    async def cameras(self) -> dict[str, dict[str, object]]:
        answer = await self.get("/api/v1/cameras")
        return {camera["name"]: camera for camera in json.loads(answer.partition(b"\r\n\r\n")[2])}

    async def wait_settled(self) -> None:
        """Return once every camera either shows pictures or says why it does not."""
        while True:
            cameras = await self.cameras()
            if all(camera["state"] == "live" or camera["last_error"] for camera in cameras.values()):
                return
            await trio.sleep(0.2)


@asynccontextmanager
async def running(config: Path, evidence: Evidence) -> AsyncIterator[Camgate]:
    """Run camgate for the time of the block, with what it prints kept as evidence; it must end well."""
    paths = [evidence.folder / "stdout.log", evidence.folder / "stderr.log"]
    with paths[0].open("wb") as stdout, paths[1].open("wb") as stderr:
        command = [*CAMGATE, "run", "--config", str(config)]
        process = await trio.lowlevel.open_process(command, stdout=stdout, stderr=stderr, env=environment())
    try:
        yield Camgate(process, await wait_port(process, paths))
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def wait_port(process: trio.Process, paths: list[Path]) -> int:
    """Read the port that camgate listens on from what it prints."""
    while process.returncode is None:
        for line in "".join(path.read_text() for path in paths).splitlines():
            _, found, rest = line.partition("http://127.0.0.1:")
            if found:
                return int("".join(iter_digits(rest)))
        await trio.sleep(0.05)
    raise RuntimeError("camgate ended: " + paths[1].read_text())


def iter_digits(text: str) -> Iterator[str]:
    for character in text:
        if not character.isdigit():
            return
        yield character


async def look_around(camgate: Camgate, evidence: Evidence) -> None:
    """Keep every kind of answer and message that camgate gives."""
    for name, target in {
        "wall.html": "/",
        "camera.html": "/camera/in-config",
        "embed.html": "/embed/in-url",
        "admin.html": "/admin",
        "cameras.json": "/api/v1/cameras",
        "config.json": "/api/v1/config",
        "configured.json": "/api/v1/config/cameras",
        "metrics": "/metrics",
        "openapi.json": "/api/v1/openapi.json",
        "healthz": "/healthz",
        "readyz": "/readyz",
        "unknown": "/nothing",
    }.items():
        evidence.keep(name, await camgate.get(target))
    sdp = {"Content_Type": "application/sdp"}
    offer = OFFER.read_bytes()
    for camera in ("in-config", "in-url", "in-path", "wrong", "away", "unknown"):
        answer = await camgate.get(f"/whep/{camera}?wait=0", method="POST", body=offer, **sdp)
        evidence.keep(f"whep-{camera}", answer)
    evidence.keep("whep-malformed", await camgate.get("/whep/in-config", method="POST", body=b"v=0", **sdp))

    wanted = json.dumps({"url": f"rtsp://{USERNAME}:{CANARY}@127.0.0.1:1/cam"}).encode()
    probed = await camgate.get("/api/v1/config/probe", method="POST", body=wanted, Content_Type="application/json")
    assert b"refuses the connection" in probed
    evidence.keep("probe.json", probed)

    # Whoever sends a password gets an answer that may repeat it; the log must not.
    await camgate.get(f"/?token={CANARY}", Authorization=f"Basic {BASIC}", Cookie=f"session={CANARY}")
    await camgate.get(f"/whep/password={CANARY}", method="POST", body=offer, **sdp)

    async with open_websocket_url(f"ws://127.0.0.1:{camgate.port}/ws") as socket:
        evidence.keep("ws-first", await socket.get_message())
        for number, camera in enumerate(("in-url", "wrong", "unknown")):
            message = {"type": "offer", "id": f"v{number}", "camera": camera, "sdp": offer.decode(), "wait": 0}
            await socket.send_message(json.dumps(message))
            evidence.keep(f"ws-{camera}", await next_message(socket, f"v{number}"))


async def next_message(socket: object, viewer: str) -> str:
    """Return the next message about a viewer."""
    while True:
        message: str = await socket.get_message()  # type: ignore[attr-defined]
        if json.loads(message).get("id") == viewer:
            return message


async def call(evidence: Evidence, name: str, *arguments: str) -> int:
    """Run another camgate command to its end, and keep what it prints."""
    result = await trio.run_process(
        [*CAMGATE, *arguments],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=environment(),
        stdin=subprocess.DEVNULL,
    )
    evidence.keep(f"{name}.stdout", result.stdout)
    evidence.keep(f"{name}.stderr", result.stderr)
    assert result.stdout or result.stderr
    assert b"Traceback" not in result.stderr
    return result.returncode


async def probe_both(evidence: Evidence, welcoming: GstCamera, refusing: GstCamera) -> None:
    """Probe cameras by URLs with the canary, which must leave the process list while the command still runs."""
    urls = [camera.url.replace("rtsp://", f"rtsp://{USERNAME}:{CANARY}@") for camera in (welcoming, refusing)]
    assert await call(evidence, "probe-wrong", "probe", urls[1]) == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, evidence, "probe-right", "probe", "--seconds", "5", urls[0])
        await until(lambda: bool(probes_of(welcoming)))
        await until(lambda: not list(processes_with_canary()))
        assert probes_of(welcoming)


async def probe_by_onvif(evidence: Evidence, welcoming: GstCamera, refusing: GstCamera) -> None:
    """Have cameras tell their streams by ONVIF, with the canary right, and wrong; then look at the right one's."""
    for name, camera, code in (("right", welcoming, 0), ("wrong", refusing, 1)):
        password = CANARY if code == 0 else "another"
        for wants in ("token", "digest"):
            onvif = FakeOnvif(FakeProfile("main", camera.url), username=USERNAME, password=password)
            onvif.wants = wants
            onvif.clock = lambda: datetime.now(UTC)
            async with onvif.on_loopback() as place:
                arguments = ("probe", "--onvif", place, "--username", USERNAME, "--seconds", "1")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(expect, code, evidence, f"onvif-{name}-{wants}", *arguments)
                    await until(lambda: onvif.proofs > 0)  # noqa: B023
                    assert not list(processes_with_canary())
            evidence.keep(f"onvif-{name}-{wants}-seen", onvif.seen)


async def expect(code: int, evidence: Evidence, name: str, *arguments: str) -> None:
    assert await call(evidence, name, *arguments) == code


def probes_of(camera: GstCamera) -> list[Path]:
    """Return the probe commands that run on a camera."""
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if is_probe(path, f":{camera.port}/")]


def is_probe(path: Path, port: str) -> bool:
    try:
        line = path.read_bytes()
    except OSError:
        return False
    return b"\0camgate\0probe\0" in line and port.encode() in line


ONVIF = {
    "onvif-token": (CANARY, "token"),
    "onvif-digest": (CANARY, "digest"),
    "onvif-wrong": ("another", "token"),
}
"""Cameras with ONVIF: its password, and how it wants it."""


async def until(condition: Callable[[], bool]) -> None:
    """Return once a condition on other processes, which cannot set an event here, holds."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)


BROKEN = {
    "bad-port": f'url = "rtsp://{USERNAME}:{CANARY}@127.0.0.1:notaport/cam"',
    "bad-scheme": f'url = "http://{USERNAME}:{CANARY}@127.0.0.1/cam"',
    "unknown-key": f'url = "rtsp://127.0.0.1/cam"\npasswort = "{CANARY}"',
    "two-places": f'url = "rtsp://{USERNAME}:{CANARY}@127.0.0.1/cam"\npassword = "{CANARY}"',
    "password-without-quotes": f'url = "rtsp://127.0.0.1/cam"\nusername = "{USERNAME}"\npassword = {CANARY}',
    "password-in-a-list": f'url = "rtsp://127.0.0.1/cam"\nusername = "{USERNAME}"\npassword = ["{CANARY}"]',
    "password-for-a-number": f'url = "rtsp://127.0.0.1/cam"\nconnect_timeout_s = "{CANARY}"',
}
"""Cameras with a mistake beside, or in, the password."""


async def test_nothing_that_camgate_lets_out_holds_the_canary(planted: Path, evidence: Evidence) -> None:
    with trio.fail_after(3 * PATIENCE_S):
        async with login_camera(planted, CANARY) as welcoming, login_camera(planted, "another") as refusing:
            onvif = {name: FakeOnvif(FakeProfile("main", welcoming.url), username=USERNAME) for name in ONVIF}
            for (password, wants), camera in zip(ONVIF.values(), onvif.values(), strict=True):
                camera.password, camera.wants = password, wants
                camera.clock = lambda: datetime.now(UTC)
            async with AsyncExitStack() as stack:
                places = {name: await stack.enter_async_context(camera.on_loopback()) for name, camera in onvif.items()}
                config = write_config(planted, evidence.folder / "logs", welcoming, refusing, places)
                camgate = await stack.enter_async_context(running(config, evidence))
                await camgate.wait_settled()
                # Whoever plays is asked for a key frame.
                await until(lambda: all(camera.proofs for camera in onvif.values()))
                await until(lambda: all(onvif[name].key_frames for name in ("onvif-token", "onvif-digest")))
                cameras = await camgate.cameras()
                await look_around(camgate, evidence)
                assert list(processes_with_canary()) == []
            live = {name for name, camera in cameras.items() if camera["state"] == "live"}
            assert live >= {"in-config", "in-file", "in-environment", "in-url", "in-url-from-environment"}
            assert not live & {"wrong", "wrong-in-url", "away"}

            assert await call(evidence, "check", "check", str(config)) == 0
            await probe_both(evidence, welcoming, refusing)
            await probe_by_onvif(evidence, welcoming, refusing)
    assert_clean_and_watched(evidence)


@pytest.mark.parametrize("name", BROKEN)
async def test_no_complaint_about_a_config_holds_the_canary(name: str, planted: Path, evidence: Evidence) -> None:
    config = planted / "camgate.toml"
    config.write_text(f"[cameras.front]\n{BROKEN[name]}\n")
    with trio.fail_after(PATIENCE_S):
        assert await call(evidence, "check", "check", str(config)) == 2
        assert await call(evidence, "run", "run", "--config", str(config)) == 2
    assert_clean_and_watched(evidence)


def assert_clean_and_watched(evidence: Evidence) -> None:
    """No evidence holds the canary, and the search would have found it in any of them, in any form."""
    assert evidence.files()
    assert list(files_with_canary(evidence.folder)) == []
    for path in evidence.files():
        was = path.read_bytes()
        for form in FORMS:
            path.write_bytes(was + form)
            assert list(files_with_canary(evidence.folder)) == [path]
        path.write_bytes(was)


def test_a_command_line_that_shows_the_canary_is_found() -> None:
    # "probe" in it, as run_tiers.py watches command lines meanwhile and lets that command have one.
    command = [sys.executable, "-c", "print(flush=True); input()", "probe", CANARY]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as shows_it:
        assert shows_it.stdout is not None
        # Right after its start a process has no command line yet.
        shows_it.stdout.readline()
        found = list(processes_with_canary())
        shows_it.kill()
    assert any(CANARY in line for line in found)
