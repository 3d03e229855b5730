"""Cameras and camgate itself as processes of their own, as the browser meets them: started, killed, started again."""

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from camgate.bench.server import NO_LIMITS
from camgate.serve.webrtc.flood import SILENCE_TIMEOUT_S
from tests.fakes.gst import SCRIPT
from tests.fakes.ports import free_port
from tests.fakes.tools import SYSTEM_PYTHON
from tests.fakes.troubled import Cause

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
FPS = 25


class CameraProcess:
    """A gst-rtsp-server camera that draws the picture counter, always on the same port.

    codec: what it sends, `h264` or `h265`; may be changed while it does not run. arguments: more of the script's, such
    as `--audio=pcma`. connections: TCP connections accepted so far.
    """

    def __init__(self, number: int, *arguments: str, codec: str = "h264") -> None:
        self._number = number
        self._arguments = arguments
        self.codec = codec
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self.connections = 0

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/cam"

    def start(self) -> None:
        """Returns once the camera accepts connections."""
        command = [SYSTEM_PYTHON, str(SCRIPT), f"--port={self._port}", f"--camera={self._number}", f"--fps={FPS}"]
        command += [f"--codec={self.codec}", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert json.loads(self._process.stdout.readline())["event"] == "ready"
        self._counter = threading.Thread(target=self._count, args=[self._process.stdout], daemon=True)
        self._counter.start()

    def _count(self, reports: IO[bytes]) -> None:
        for line in reports:
            self.connections += json.loads(line)["event"] == "connected"

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._counter.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def resize(self) -> None:
        """Double the picture's sides, or take them back."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    def freeze(self) -> None:
        """Make it hang: its connections stay open and silent."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def fall_silent(self) -> None:
        """Send no more sound."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    @staticmethod
    def counter_now() -> int:
        """What the frame counter of a camera that starts now begins with (the script counts from the wall clock)."""
        return int(time.time() * FPS) & 0xFFFFFFFF


class ClipCameraProcess:
    """A camera of a given bit rate and distance of key frames; see `tests.fakes.clip_camera`.

    arguments: more of its module's. began_ms, interval_ms, loop: which picture it takes when.
    """

    def __init__(self, *arguments: str, mbit: float, gop_s: float) -> None:
        self._command = [sys.executable, "-m", "tests.fakes.clip_camera", f"--mbit={mbit}", f"--gop={gop_s}"]
        self._command += arguments

    def start(self) -> None:
        """Returns once the camera accepts connections."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        facts = json.loads(self._process.stdout.readline())
        self.url = f"rtsp://127.0.0.1:{facts['port']}/cam"
        self.began_ms: float = facts["began_ms"]
        self.interval_ms: float = facts["interval_ms"]
        self.loop: int = facts["loop"]

    def age_ms(self, place: int, unix_ms: float) -> float:
        """How old picture `place` of the loop is at a moment of Unix time; less than the loop's length."""
        return (unix_ms - self.began_ms - place * self.interval_ms) % (self.loop * self.interval_ms)

    def stop(self) -> None:
        self._process.communicate()


class CamgateProcess:
    """`camgate run`, always with the same configuration and ports.

    limits: the section of that name; by default nobody is refused, however busy the machine is that the tests run on.
    more: more of the configuration. module: what is run in camgate's place. login: of a user who may see all, where
    there are users. server: more of the section of that name.
    """

    def __init__(
        self,
        folder: Path,
        cameras: Mapping[str, Mapping[str, object]],
        *,
        max_viewers: int = 100,
        limits: dict[str, float] | None = None,
        more: str = "",
        module: str = "camgate",
        login: tuple[str, str] | None = None,
        server: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._server = server
        self._headers = {}
        if login is not None:
            self._headers["Authorization"] = f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"
        self._state = folder / "state"
        self._module = module
        self.http_port = free_port()
        self.webrtc_port = free_port()
        self._config = folder / "camgate.toml"
        self._log = folder / "camgate.log"
        self._config.write_text(self._toml(cameras, max_viewers, NO_LIMITS if limits is None else limits) + more)
        self._process: subprocess.Popen[bytes] | None = None

    def _toml(self, cameras: Mapping[str, Mapping[str, object]], max_viewers: int, limits: dict[str, float]) -> str:
        lines = [
            *("[server]", f'listen = "127.0.0.1:{self.http_port}"', f"max_viewers = {max_viewers}", 'unix_socket = ""'),
            *(f"{key} = {json.dumps(value)}" for key, value in self._server.items()),
            *("[webrtc]", f"port = {self.webrtc_port}"),
            *("[limits]", *(f"{key} = {value}" for key, value in limits.items())),
        ]
        for name, settings in cameras.items():
            lines += [f"[cameras.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
        return "\n".join(lines) + "\n"

    def append(self, *lines: str) -> None:
        """Add to the configuration, before the start."""
        with self._config.open("a") as config:
            config.writelines(f"{line}\n" for line in lines)

    def set_webrtc(self, *lines: str) -> None:
        """Add to the section `[webrtc]`, before the start."""
        port = f"port = {self.webrtc_port}\n"
        self._config.write_text(
            self._config.read_text().replace(port, port + "".join(f"{line}\n" for line in lines), 1)
        )

    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def wait_log(self, part: str) -> None:
        """Returns once it has said so."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while part not in self.log():
            assert time.monotonic() < deadline, f"not said in time: {part!r} in\n{self.log()[-4000:]}"
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def cause(self, **trouble: Any) -> None:
        """Have its machine get into trouble, where `module` is `tests.fakes.troubled`; returns once it has."""
        cause = Cause(self._config)
        cause(**trouble)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not cause.is_done:
            assert time.monotonic() < deadline, f"not in trouble in time:\n{self.log()[-4000:]}"
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """The process ids of its worker processes."""
        assert self._process is not None
        # Whichever of its threads has started them.
        lists = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return [int(pid) for each in lists for pid in each.read_text().split()]

    @property
    def url(self) -> str:
        scheme = "https" if "tls_certificate" in self._server else "http"
        return f"{scheme}://127.0.0.1:{self.http_port}"

    def _open(self, request: urllib.request.Request, timeout_s: float) -> Any:
        # Which certificate it shows is what tests are about, and not for here.
        context = ssl._create_unverified_context() if self.url.startswith("https") else None
        return urllib.request.urlopen(request, timeout=timeout_s, context=context)

    def start(self) -> None:
        """Returns once camgate says that it is ready."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", self._module, "run", "--config", str(self._config)]
            environ = os.environ | {"NO_COLOR": "1", "STATE_DIRECTORY": str(self._state)}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"camgate did not start:\n{self._log.read_text()[-4000:]}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with self._open(urllib.request.Request(f"{self.url}/readyz"), 1) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def cameras(self) -> list[dict[str, Any]]:
        """What the API says of all cameras."""
        request = urllib.request.Request(f"{self.url}/api/v1/cameras", headers=self._headers)
        with self._open(request, 5) as response:
            cameras: list[dict[str, Any]] = json.load(response)
            return cameras

    def camera(self, name: str) -> dict[str, Any]:
        """What the API says of one camera."""
        return next(camera for camera in self.cameras() if camera["name"] == name)

    def wait_live(self, *names: str) -> None:
        """Returns once these cameras are live."""
        self._wait_cameras(lambda cameras: all(cameras[name]["state"] == "live" for name in names), "live")

    def wait_unwatched(self) -> None:
        """Returns once no camera has viewers.

        Pages that are closed on a busy machine may leave without a word, and count until camgate gives them up.
        """
        patience_s = 3 * SILENCE_TIMEOUT_S
        self._wait_cameras(lambda found: not any(each["viewers"] for each in found.values()), "unwatched", patience_s)

    def _wait_cameras(
        self, are_so: Callable[[dict[str, dict[str, Any]]], bool], what: str, patience_s: float = START_TIMEOUT_S
    ) -> None:
        deadline = time.monotonic() + patience_s
        while not are_so(cameras := {camera["name"]: camera for camera in self.cameras()}):
            assert time.monotonic() < deadline, f"not {what} in time: {cameras}"
            time.sleep(0.05)

    def stop(self) -> int:
        """Ask it to end, as systemd does; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End it whatever it does; harmless when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
