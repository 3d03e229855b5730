"""What disturbs camgate during a soak: cameras that flap, viewers who come and go, lossy networks, reloads.

And the one who must notice nothing of it: a watcher of a camera that nobody touches. `run` of each is a task that its
soak owns; all choices are made by one seeded generator each.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import tomli_w
import trio

from camgate.base.errors import RemoteError
from camgate.bench.cameras import HOST, camera_name
from camgate.bench.server import NO_LIMITS
from camgate.bench.signaling import Server
from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate
from tests.fakes.cable import Cable

STEADY, FLAPPING = 3, 3
"""Cameras that nobody touches, and those behind a cable. The first of the steady ones is the watcher's alone."""
LOSS = {"loss": 0.05, "loss_run": 2.0, "delay_s": 0.03, "jitter_s": 0.01}
REPORT_S = 1.0
"""Between two reports of a viewer, as browsers send them."""
JOIN_TRIES = 3
"""Of the watcher's, where a busy machine is too slow for its checks and its handshake."""


class Config:
    """The server's config file, and the changes that reloads bring."""

    def __init__(self, cameras_port: int, cables: list[Cable], webrtc_port: int) -> None:
        self.webrtc_port = webrtc_port
        self._cameras = {
            camera_name(number): f"rtsp://{HOST}:{cameras_port}/{camera_name(number)}" for number in range(STEADY)
        }
        for place, cable in enumerate(cables, start=STEADY):
            self._cameras[camera_name(place)] = f"rtsp://{HOST}:{cable.port}/{camera_name(place)}"
        self.names = list(self._cameras)

    def sections(self, version: int = 0) -> dict[str, Any]:
        """Return the config, which is another one for each version: a title, a limit, a camera that comes and goes."""
        cameras: dict[str, Any] = {
            name: {"url": url, "transport": "tcp", "stall_timeout_s": 2.0} for name, url in self._cameras.items()
        }
        cameras[self.names[1]]["title"] = f"Version {version}"
        cameras[self.names[-1]]["stall_timeout_s"] = 2.0 + version % 2
        if version % 2:
            cameras["extra"] = {"url": self._cameras[self.names[1]], "transport": "tcp", "on_demand": bool(version % 3)}
        return {
            "webrtc": {"port": self.webrtc_port, "advertise": [HOST]},
            "limits": {**NO_LIMITS, "max_viewers_per_user": 500 + version % 7},
            "cameras": cameras,
        }


class Flapping:
    """A camera whose cable is cut, torn and mended again and again."""

    def __init__(self, cable: Cable, seed: int, counts: Counter[str]) -> None:
        self._cable, self._rng, self._counts = cable, Random(seed), counts

    async def run(self) -> None:
        """Disturb until cancelled."""
        while True:
            await trio.sleep(self._rng.uniform(8, 25))
            (self._cable.cut if self._rng.random() < 0.5 else self._cable.tear)()
            self._counts["outages"] += 1
            await trio.sleep(self._rng.uniform(0.5, 6))
            self._cable.mend()


class Visits:
    """Viewers who come, watch for a while and leave, politely or not; some by a lossy way."""

    def __init__(self, whep: str, names: list[str], lossy_port: int, seed: int, counts: Counter[str]) -> None:
        self._whep, self._names, self._lossy_port = whep, names, lossy_port
        self._rng, self._counts = Random(seed), counts
        self._certificate = Certificate()

    async def run(self, number: int) -> None:
        """Be one viewer after the other until cancelled."""
        while True:
            await trio.sleep(self._rng.uniform(0, 3))
            kind = _LossyViewer if self._rng.random() < 0.3 else Viewer
            settings = ViewerSettings(
                url=self._whep.replace("%d", self._rng.choice(self._names)[-1]),
                camera=0,
                number=number,
                full=False,
                certificate=self._certificate,
            )
            viewer = kind(settings)
            if isinstance(viewer, _LossyViewer):
                viewer.lossy_port = self._lossy_port
            try:
                await watch(viewer, self._rng.uniform(2, 20))
                self._counts["visits"] += 1
            except RemoteError:
                self._counts["visits that failed"] += 1
            finally:
                if self._rng.random() < 0.7:
                    viewer.close()
                else:
                    # Without a word, as a phone that loses its network: camgate has to give it up by itself.
                    viewer.sock.close()


class _LossyViewer(Viewer):
    """A viewer whose datagrams go through the lossy relay."""

    lossy_port = 0

    async def _signal(self) -> Server:
        return replace(await super()._signal(), candidates=((HOST, self.lossy_port),))


async def watch(viewer: Viewer, seconds: float) -> None:
    """Join, and watch for so long, as browsers do: reports and consent. Raises RemoteError where it cannot join."""
    failure = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read, viewer)
        try:
            await viewer.join()
        except RemoteError as error:
            failure = error
        else:
            nursery.start_soon(_be_there, viewer)
            await trio.sleep(seconds)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _read(viewer: Viewer) -> None:
    while True:
        await trio.lowlevel.wait_readable(viewer.sock)
        viewer.drain()


async def _be_there(viewer: Viewer) -> None:
    while True:
        await trio.sleep(REPORT_S)
        viewer.report()
        viewer.check_consent()


class Watching:
    """The watcher of a camera that nobody touches, and what it missed.

    held_up: frames and packets missed while the machine kept camgate, or us, waiting for a processor: nobody's fault.
    """

    def __init__(self, whep: str) -> None:
        self._settings = ViewerSettings(
            url=whep.replace("%d", "0"), camera=0, number=0, full=True, certificate=Certificate()
        )
        self._viewer = Viewer(self._settings)
        self.frames = 0
        self.lost_packets = 0
        self.lost_frames = 0
        self.held_up = 0

    async def run(self) -> None:
        """Watch until cancelled. Raises RemoteError where it cannot join."""
        for tries_left in reversed(range(JOIN_TRIES)):
            try:
                await watch(self._viewer, math.inf)
                return
            except RemoteError:
                if not tries_left:
                    raise
            finally:
                self._viewer.close()
            self._viewer = Viewer(self._settings)

    def take(self, *, is_held_up: bool) -> None:
        """Add up what came since the last call."""
        window = self._viewer.reception.window
        self._viewer.begin_window()
        self.frames += len(window.frames)
        packets = window.last_index - window.first_index - window.received if window.first_index >= 0 else 0
        if is_held_up:
            self.held_up += packets + window.frames_missing
        else:
            self.lost_packets += packets
            self.lost_frames += window.frames_missing


class Reloads:
    """Another config now and then."""

    def __init__(self, config: Config, file: Path, pid: int, seed: int, counts: Counter[str]) -> None:
        self._config, self._file, self._pid = config, file, pid
        self._rng, self._counts = Random(seed), counts
        self._version = 0
        self._sections = tomllib.loads(file.read_text())

    async def run(self) -> None:
        """Reload until cancelled."""
        while True:
            await trio.sleep(self._rng.uniform(8, 20))
            self._version += 1
            text = tomli_w.dumps({**self._sections, **self._config.sections(self._version)})
            new = trio.Path(self._file.with_suffix(".new"))
            await new.write_text(text)
            await new.rename(self._file)
            os.kill(self._pid, signal.SIGHUP)
            self._counts["reloads"] += 1


class LossyWay:
    """`tests.fakes.lossy_relay` between viewers and the server's media port."""

    def __init__(self, to_port: int, seed: int) -> None:
        impairment = json.dumps(LOSS)
        command = [sys.executable, "-m", "tests.fakes.lossy_relay", f"--to={to_port}", f"--seed={seed}"]
        self._process = subprocess.Popen(
            [*command, f"--down={impairment}", f"--up={impairment}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.port: int = json.loads(self._process.stdout.readline())["port"]

    def stop(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._process.communicate()
