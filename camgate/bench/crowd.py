"""The process of the viewers: it lets them join at a steady rate, and counts what reaches them.

One task waits for all sockets: an epoll of its own that Trio waits for in turn. So a packet costs microseconds here,
and what the server's costs are is not spoilt by its viewers' use of the same processors.

Conversation: given its settings, it is told to join so many more viewers, or to measure for so long, and answers
with figures, after a line of progress now and then.
"""

import resource
import select
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import av
import trio
import trio_asyncio

from camgate.base.errors import RemoteError
from camgate.bench.figures import Joined, Measured, Spread
from camgate.bench.link import Link, Message, link_to_parent
from camgate.bench.marks import without_mark
from camgate.bench.processes import Usage, usage
from camgate.bench.reception import Window, left_out
from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate
from camgate.wire.codec.frame import Frame

SETTLE_S = 3.0
"""After the last join, until bursts are over and the first reports are sent."""
PAUSE_S = 0.002
"""Between two looks at the sockets once all have joined. The kernel stamps arrivals, so no figure suffers."""
PROGRESS_S = 0.25
REPORT_INTERVAL_S = 1.0
REPORT_SLICES = 20
MAX_ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdSettings:
    """Whom the viewers watch.

    url: with %d or {camera} for the camera's number. full: the first so many viewers take every packet.
    rate: joins a second. pid: the server's process, 0 where it is not known.
    """

    url: str
    cameras: int
    full: int
    rate: float
    pid: int
    authorization: str | None = None


def camera_url(template: str, camera: int) -> str:
    """Put a camera's number into a URL."""
    return template.replace("%d", str(camera)).replace("{camera}", str(camera))


class Crowd:
    """All viewers. `run` is the task that reads and reports; `join` and `measure` are called one at a time."""

    def __init__(self, settings: CrowdSettings, link: Link) -> None:
        self._settings = settings
        self._link = link
        self._viewers: list[Viewer] = []
        self._by_descriptor: dict[int, Viewer] = {}
        self._errors: list[str] = []
        self._epoll = select.epoll()
        self._certificate = Certificate()
        self._joining = False

    async def run(self) -> None:
        """Read from all sockets and send reports, until cancelled; then say goodbye."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                nursery.start_soon(self._report)
        finally:
            for viewer in self._viewers:
                viewer.close()

    async def _read(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for descriptor, _ in self._epoll.poll(0):
                self._by_descriptor[descriptor].drain()
            if not self._joining:
                await trio.sleep(PAUSE_S)

    async def _report(self) -> None:
        for turn in range(1 << 62):
            for viewer in self._viewers[turn % REPORT_SLICES :: REPORT_SLICES]:
                viewer.report()
            await trio.sleep(REPORT_INTERVAL_S / REPORT_SLICES)

    async def join(self, count: int) -> Joined:
        """Let `count` more viewers join, and settle."""
        began_s, before = time.time(), self._usage()
        self._joining = True
        first_error = len(self._errors)
        async with trio.open_nursery() as nursery:
            start_s = trio.current_time()
            for place in range(count):
                await trio.sleep_until(start_s + place / self._settings.rate)
                nursery.start_soon(self._join_one, len(self._viewers))
                await self._link.send({"progress": place + 1})
                await trio.lowlevel.checkpoint()
        await trio.sleep(SETTLE_S)
        self._joining = False
        ended_s, cpu_s = time.time(), self._usage().cpu_s - before.cpu_s
        newest = self._viewers[-count:]
        joined = _sum_up_joins(newest, self._errors[first_error:], ended_s)
        pictures = [viewer.reception.key_frame for viewer in newest if viewer.reception.key_frame is not None]
        decoded = sum([await trio.to_thread.run_sync(can_be_decoded, picture) for picture in pictures])
        return replace(
            joined,
            pictures_decoded=decoded,
            pictures_failed=len(pictures) - decoded,
            cpu_s=cpu_s,
            elapsed_s=ended_s - began_s,
        )

    async def _join_one(self, number: int) -> None:
        camera = number % self._settings.cameras
        settings = ViewerSettings(
            url=camera_url(self._settings.url, camera),
            camera=camera,
            full=number < self._settings.full,
            certificate=self._certificate,
            authorization=self._settings.authorization,
        )
        viewer = Viewer(settings)
        self._viewers.append(viewer)
        self._by_descriptor[viewer.sock.fileno()] = viewer
        self._epoll.register(viewer.sock.fileno(), select.EPOLLIN)
        try:
            await viewer.join()
        except RemoteError as error:
            self._errors.append(str(error)[:MAX_ERROR_CHARACTERS])

    async def measure(self, seconds: float) -> Measured:
        """Count what arrives in so long a time."""
        watching = [viewer for viewer in self._viewers if viewer.connected_s is not None]
        refused = sum(viewer.packets_refused for viewer in watching)
        for viewer in watching:
            viewer.reception.begin_window()
        began_s, before = time.monotonic(), self._usage()
        while (elapsed_s := time.monotonic() - began_s) < seconds:
            await self._link.send({"progress": elapsed_s})
            await trio.sleep(min(PROGRESS_S, seconds - elapsed_s))
        # Looked at in the same order as at the beginning, so that all windows are of one length.
        measured, after = sum_up_windows(watching, time.monotonic() - began_s), self._usage()
        return replace(
            measured,
            refused=sum(viewer.packets_refused for viewer in watching) - refused,
            cpu_s=after.cpu_s - before.cpu_s,
            memory_bytes=after.memory_bytes,
        )

    def _usage(self) -> Usage:
        return usage(self._settings.pid) if self._settings.pid else Usage(0.0, 0)


def can_be_decoded(frame: Frame) -> bool:
    """Say whether a decoder makes a picture of a key frame alone."""
    codec = av.CodecContext.create("h264", "r")
    assert isinstance(codec, av.VideoCodecContext)
    data = b"".join(b"\x00\x00\x00\x01" + without_mark(nal) for nal in frame.nals)
    try:
        pictures = [*codec.decode(av.Packet(data)), *codec.decode(None)]
    except av.FFmpegError:
        return False
    return len(pictures) == 1 and not pictures[0].is_corrupt


def _sum_up_joins(viewers: Sequence[Viewer], errors: Sequence[str], ended_s: float) -> Joined:
    connects, packets, keys = [], [], []
    viewer_seconds = 0.0
    for viewer in viewers:
        reception = viewer.reception
        if viewer.connected_s is not None:
            connects.append(viewer.connected_s - viewer.requested_s)
            viewer_seconds += ended_s - viewer.connected_s
        if reception.first_packet_s is not None:
            packets.append(reception.first_packet_s - viewer.requested_s)
        if reception.key_frame_s is not None:
            keys.append(reception.key_frame_s - viewer.requested_s)
    return Joined(
        viewers=len(viewers),
        connected=len(connects),
        errors=len(errors),
        first_error=errors[0] if errors else None,
        connect=Spread.of_seconds(connects),
        first_packet=Spread.of_seconds(packets),
        key_frame=Spread.of_seconds(keys),
        key_frames_seen=len(keys),
        pictures_decoded=0,
        pictures_failed=0,
        cpu_s=0.0,
        elapsed_s=0.0,
        viewer_seconds=viewer_seconds,
    )


def sum_up_windows(viewers: Sequence[Viewer], elapsed_s: float) -> Measured:
    """Compare what each viewer got with what it should have got."""
    by_camera: dict[int, list[Viewer]] = defaultdict(list)
    for viewer in viewers:
        by_camera[viewer.settings.camera].append(viewer)
    delivered = expected = stalled = spared = missing = full = octets = 0
    delays_s: list[float] = []
    for watchers in by_camera.values():
        windows = [viewer.reception.window for viewer in watchers]
        most = max(window.last_index - window.first_index for window in windows)
        reference = _reference(watchers)
        for viewer, window in zip(watchers, windows, strict=True):
            advanced = window.last_index - window.first_index
            stands_still = 2 * advanced < most or not most
            delivered += window.received * viewer.reception.packets_per_received
            expected += most if stands_still else advanced
            stalled += stands_still
            missing += window.frames_missing
            delays_s += window.delays_s
            if viewer.reception.full:
                full += 1
                octets += window.octets
            elif reference is not None:
                spared += left_out(window, reference)
    return Measured(
        elapsed_s=elapsed_s,
        delivered=delivered,
        expected=expected,
        refused=0,
        left_out=spared,
        frames_missing=missing,
        stalled=stalled,
        bps_of_full_viewer=octets * 8 / elapsed_s / full if full else 0.0,
        cpu_s=0.0,
        memory_bytes=0,
        delay=Spread.of_seconds(delays_s),
    )


def _reference(watchers: Sequence[Viewer]) -> Window | None:
    """Return the window of a viewer that saw every frame, None where there is none."""
    windows = (watcher.reception.window for watcher in watchers if watcher.reception.full)
    return next((window for window in windows if not window.frames_missing), None)


async def _obey(link: Link, crowd: Crowd) -> None:
    while (message := await link.receive()) is not None:
        await link.send(await _answer(crowd, message))


async def _answer(crowd: Crowd, message: Message) -> Message:
    if "join" in message:
        return {"joined": asdict(await crowd.join(message["join"]))}
    return {"measured": asdict(await crowd.measure(message["measure"]))}


async def _run(link: Link) -> None:
    message = await link.receive()
    if message is None:
        return
    crowd = Crowd(CrowdSettings(**message), link)
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run)
        await _obey(link, crowd)
        nursery.cancel_scope.cancel()


def _allow_many_sockets() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    _allow_many_sockets()
    trio.run(_run, link_to_parent())
