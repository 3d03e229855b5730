"""A machine in trouble: no memory, no descriptors, no disk, another time, no names, a killed process.

One real camgate and one camera for all of it. Beside each trouble watches a viewer who must miss nothing.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from socket import create_connection
from typing import Any, TypeVar

import pytest
import trio

from camgate.bench.cameras import HOST, CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.processes import usage
from camgate.bench.server import NO_LIMITS
from camgate.bench.signaling import Access, SignalingFailed, build_offer
from camgate.bench.viewer import ViewerSettings
from tests.browser.processes import CamgateProcess
from tests.fakes.accounts import CHEAP, basic
from tests.fakes.command import camgate_process
from tests.fakes.ports import free_port
from tests.fakes.visitors import Visitors, Watcher, reading

pytestmark = pytest.mark.interop

PATIENCE_S = 90.0
SMALL = ClipSettings(width=320, height=180, fps=25, bitrate_bps=300_000, gop_s=0.5)
FRAMES = 15
"""What a watcher sees before and after a trouble."""
HICCUP_FRAMES = 12
"""A frame that the machine itself has held up for 250 ms is dropped with its group of pictures: nobody's fault here."""
LONGEST_PAUSE_S = 10.0
TICKS_A_SECOND = 90_000
SENDER_REPORT = 200
BURDEN_MB = 400
T = TypeVar("T")
LOGIN = ("anna", "anna"[::-1])
AUTHORIZATION = basic("anna")["Authorization"]


class CameraProcess:
    """One of the benchmark's cameras, whose frames bear numbers."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "camgate.bench.cameras"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._tell(CamerasSettings(cameras=1, clip=SMALL).as_message())
        self.port: int = json.loads(self._process.stdout.readline())["port"]
        self._tell({"serve": True})

    def _tell(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Site:
    """The camera and the server."""

    camera: CameraProcess
    server: CamgateProcess
    folder: Path
    rtsp_port: int

    @property
    def logs(self) -> list[Path]:
        """The log files of today and, should it be about midnight, of tomorrow."""
        days = (date.today() + timedelta(days=ahead) for ahead in range(2))
        return [self.folder / "logs" / f"camgate-{day.isoformat()}.log" for day in days]

    def visitors(self) -> Visitors:
        return Visitors(f"{self.server.url}/whep/front")

    def get(self, path: str, authorization: str = AUTHORIZATION) -> str:
        asked = urllib.request.Request(self.server.url + path, headers={"Authorization": authorization})
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as reply:
            return str(reply.read().decode())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        camera = CameraProcess()
        stack.callback(camera.stop)
        rtsp_port = free_port()
        more = [
            *("[rtsp_server]", f'listen = "{HOST}:{rtsp_port}"', "udp = false"),
            *("[logging]", 'output = "both"', f'directory = "{folder}/logs"'),
            *("[auth.users.anna]", f'password_hash = "{CHEAP.hash(LOGIN[1])}"', 'roles = ["admin"]', ""),
        ]
        server = CamgateProcess(
            folder,
            {"front": {"url": f"rtsp://{HOST}:{camera.port}/cam0", "transport": "tcp"}},
            limits=NO_LIMITS | {"max_memory_mb": BURDEN_MB},
            more="\n".join(more),
            module="tests.fakes.troubled",
            login=LOGIN,
        )
        site = Site(camera, server, folder, rtsp_port)
        # The log's disk is full from the beginning.
        site.logs[0].parent.mkdir()
        for log in site.logs:
            log.symlink_to("/dev/full")
        stack.callback(server.kill)
        server.start()
        server.wait_live("front")
        yield site
        assert "Traceback" not in server.log()


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    return await trio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)


async def until(is_so: Callable[[], bool]) -> None:
    while not await in_thread(is_so):  # noqa: ASYNC110 (another process)
        await trio.sleep(0.05)


async def see(watcher: Watcher, frames: int = FRAMES) -> None:
    """Return once a viewer has seen so many more frames."""
    end = len(watcher.shown) + frames
    while len(watcher.shown) < end:  # noqa: ASYNC110 (the network)
        await trio.sleep(0.02)


class Reader(Watcher):
    """A watcher that reads sender reports, too."""

    def __init__(self, settings: ViewerSettings) -> None:
        super().__init__(settings)
        self.epochs_s: list[float] = []
        """By each report: what the wall clock was when the media clock was 0, but for its wraps."""

    def _receive_media(self, data: bytes, arrival_s: float) -> None:
        if self._keys is not None and data[1] == SENDER_REPORT:
            report = self._keys.inbound.unprotect_rtcp(data)
            # RFC 3550 section 6.4.1: the NTP timestamp, and the same time in units of the media clock.
            ntp, media = int.from_bytes(report[8:16], "big"), int.from_bytes(report[16:20], "big")
            self.epochs_s.append(ntp / (1 << 32) - media / TICKS_A_SECOND)
        super()._receive_media(data, arrival_s)


@asynccontextmanager
async def watching(site: Site) -> AsyncIterator[Reader]:
    """Watch the camera for as long as the block runs, and before and after it; nothing may be missed."""
    watcher = site.visitors().viewer(Reader, full=True)
    assert isinstance(watcher, Reader)
    watcher.settings = replace(watcher.settings, authorization=AUTHORIZATION)
    with trio.fail_after(PATIENCE_S):
        async with reading(watcher), trio.open_nursery() as nursery:
            await watcher.join()
            nursery.start_soon(be_there, watcher)
            await see(watcher)
            yield watcher
            await see(watcher)
            nursery.cancel_scope.cancel()
    assert watcher.missing == []
    assert watcher.reception.window.frames_missing <= HICCUP_FRAMES
    assert watcher.longest_pause_s < LONGEST_PAUSE_S


async def be_there(watcher: Watcher) -> None:
    while True:
        watcher.check_consent()
        watcher.report()
        await trio.sleep(1)


async def visit(site: Site) -> None:
    """Come, see a key frame, and leave."""
    viewer = site.visitors().viewer()
    viewer.settings = replace(viewer.settings, authorization=AUTHORIZATION)
    async with reading(viewer) as (_, seen):
        await viewer.join()
        await seen.wait()


async def test_who_comes_when_memory_is_short_is_refused_and_welcome_later(site: Site) -> None:
    """Before the kernel has to kill; and what was freed is given back, or nobody would be let in ever again."""

    def is_short() -> bool:
        return 'camgate_at_limit{limit="max_memory_mb"} 1.0' in site.get("/metrics")

    async with watching(site):
        await in_thread(lambda: site.server.cause(burden_mb=BURDEN_MB))
        await until(is_short)
        with pytest.raises(urllib.error.HTTPError) as refused:
            await in_thread(post_offer, site)
        with refused.value as answer:
            assert answer.code == 503
            assert 5 <= int(answer.headers["Retry-After"]) <= 15
            assert "memory, in MB," in json.load(answer)["detail"]
        await in_thread(site.server.cause)
        await until(lambda: not is_short())
        await visit(site)
    told = [line for line in site.server.log().splitlines() if "this machine is" in line]
    assert ["limit=max_memory_mb" in line for line in told] == [True, False]
    assert "joins are welcome" in told[1]


def post_offer(site: Site) -> None:
    offer = build_offer(Access(ufrag="abcd", pwd="p" * 22, fingerprint="AB" + 31 * ":CD", address=HOST, port=9))
    headers = {"Content-Type": "application/sdp", "Authorization": AUTHORIZATION}
    asked = urllib.request.Request(f"{site.server.url}/whep/front", offer.encode(), headers)
    urllib.request.urlopen(asked, timeout=PATIENCE_S).close()


async def test_a_full_disk_costs_log_lines_and_nothing_else(site: Site) -> None:
    log = site.logs[0]
    async with watching(site):
        assert f"cannot write log files in {log.parent}: No space left on device" in site.server.log()
        for each in site.logs:
            each.unlink()

        def has_room() -> bool:
            return "log files are written again; lines missing in them: " in site.server.log()

        while not has_room():
            await visit(site)  # which is told in a line
        assert any(each.exists() and each.stat().st_size for each in site.logs)


async def test_without_descriptors_nobody_is_lost_and_those_who_wait_are_served_later(site: Site) -> None:
    pid, before = site.server.pid, len(site.server.log())
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    ports = (site.server.http_port, site.rtsp_port, site.server.webrtc_port)
    async with watching(site) as watcher, AsyncExitStack() as stack:
        highest = max(int(number) for number in os.listdir(f"/proc/{pid}/fd"))
        stack.callback(resource.prlimit, pid, resource.RLIMIT_NOFILE, (soft, hard))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 3, hard))
        with ExitStack() as crowd:
            for port in 30 * ports:
                crowd.enter_context(create_connection((HOST, port)))
            words = "no more connections can be taken"
            await until(lambda: words in site.server.log()[before:])
            began_s, used = trio.current_time(), usage(pid)
            await see(watcher, 4 * FRAMES)
            cpu_s, elapsed_s = usage(pid).cpu_s - used.cpu_s, trio.current_time() - began_s
            assert cpu_s < elapsed_s / 2, "it waits, and does not try again and again"
            waits = await trio.to_thread.run_sync(create_connection, (HOST, site.server.http_port))
            crowd.enter_context(waits)
            waits.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
            assert (await in_thread(waits.recv, 1000)).startswith(b"HTTP/1.1 200 ")
        await visit(site)
        assert json.loads(site.get("/api/v1/cameras"))[0]["state"] == "live"
        assert json.loads(site.get("/api/v1/server"))["at_limit"] == []


async def test_another_time_of_day_changes_neither_pictures_nor_rights(site: Site) -> None:
    config, state = site.folder / "camgate.toml", str(site.folder / "state")
    arguments = ("--camera", "*", "--expires", "1d", "--config", config)
    made = await in_thread(lambda: camgate_process("token", *arguments, directory=site.folder, STATE_DIRECTORY=state))
    assert made.code == 0, made.err
    token = f"Bearer {made.out.strip()}"
    async with watching(site) as watcher:
        for clock_s in (3_600, -7_200, 0):
            await in_thread(lambda clock_s=clock_s: site.server.cause(clock_s=clock_s))
            await see(watcher)
            assert json.loads(await in_thread(site.get, "/api/v1/session", token)) is not None
            reports = len(watcher.epochs_s)
            while len(watcher.epochs_s) == reports:  # noqa: ASYNC110 (the network)
                await trio.sleep(0.02)
            assert json.loads(await in_thread(site.get, "/api/v1/server"))["viewers"] == 1
            await visit(site)
    wrap_s = (1 << 32) / TICKS_A_SECOND
    since_first = ((epoch_s - watcher.epochs_s[0] + wrap_s / 2) % wrap_s - wrap_s / 2 for epoch_s in watcher.epochs_s)
    assert max(map(abs, since_first)) < LONGEST_PAUSE_S
    steps = [(later - earlier) & 0xFFFFFFFF for earlier, later in pairwise(watcher.shown)]
    assert max(steps) < LONGEST_PAUSE_S * TICKS_A_SECOND


async def test_names_that_nobody_knows_hold_up_nobody_and_are_asked_for_again(site: Site) -> None:
    silent = {f"silent{number}.test": None for number in range(50)}
    config = site.folder / "camgate.toml"
    before = config.read_text()

    def states() -> dict[str, str]:
        return {camera["name"]: camera["state"] for camera in json.loads(site.get("/api/v1/cameras"))}

    async with watching(site):
        site.server.append("", "[cameras.gate]", f'url = "rtsp://gate.test:{site.camera.port}/cam0"')
        for name in silent:
            site.server.append(f"[cameras.{name.partition('.')[0]}]", f'url = "rtsp://{name}/"')
        await in_thread(lambda: site.server.cause(names=silent))
        os.kill(site.server.pid, signal.SIGHUP)
        await until(lambda: "gate" in states())
        await until(lambda: "no address found for this name" in site.get("/api/v1/cameras/gate"))
        await visit(site)
        await in_thread(lambda: site.server.cause(names={**silent, "gate.test": HOST}))
        await until(lambda: states()["gate"] == "live")
        config.write_text(before)
        os.kill(site.server.pid, signal.SIGHUP)
        await until(lambda: [*states()] == ["front"])
    await in_thread(site.server.cause)


async def test_after_a_kill_a_crowd_is_served_again_on_the_same_ports(site: Site) -> None:
    """Pages find back by themselves (tests/browser/test_outages.py); here is what they find."""
    crowd = 20

    async def come_again(arrived: Callable[[], None], leave: trio.Event) -> None:
        viewer = site.visitors().viewer()
        viewer.settings = replace(viewer.settings, authorization=AUTHORIZATION)
        async with reading(viewer) as (_, seen):
            try:
                await viewer.join()
            except SignalingFailed:
                await trio.sleep(0.2)
                nursery.start_soon(come_again, arrived, leave)
                return
            await seen.wait()
            arrived()
            await leave.wait()

    with trio.fail_after(2 * PATIENCE_S):
        for is_second in (False, True):
            watching_now: list[None] = []
            leave = trio.Event()
            async with trio.open_nursery() as nursery:
                for _ in range(crowd):
                    nursery.start_soon(come_again, lambda seen=watching_now: seen.append(None), leave)
                if is_second:
                    await in_thread(site.server.start)
                while len(watching_now) < crowd:  # noqa: ASYNC110 (the network)
                    await trio.sleep(0.05)
                if not is_second:
                    site.server.kill()
                leave.set()
        assert await in_thread(site.server.stop) == 0
