"""The process of the viewers: it lets them join at a steady rate, and counts what reaches them.

One task waits for all sockets: an epoll of its own that Trio waits for in turn. So a packet costs microseconds here,
and what the server's costs are is not spoilt by its viewers' use of the same processors.

Conversation: given its settings, it is told to join so many more viewers, to measure for so long, or both at once (a
storm), and answers with figures, after a line of progress now and then.
"""

import resource
import select
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import NamedTuple

import av
import trio

from camgate.base.errors import RemoteError
from camgate.bench.figures import Joined, Measured, Spread, Storm
from camgate.bench.link import Link, Message, link_to_parent
from camgate.bench.marks import without_mark
from camgate.bench.processes import Usage, usage
from camgate.bench.reception import Window, left_out
from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate
from camgate.wire.codec.frame import Frame

SETTLE_S = 3.0
"""After the last join, until bursts are over and the first reports are sent."""
LEAST_WINDOW_S = 1.0
"""Of a storm: in less some cameras send nothing that a light viewer sees."""
AFTER_STORM_S = 3.0
"""What all viewers cost then is deducted from what the joins cost."""
PROGRESS_S = 0.25
SLICE_S = 0.005
REPORT_SLICES = 200
"""A report a second and viewer, each at a time of its own: a server wakes for each, as it does for viewers far away."""
CONSENT_SLICES = 500
"""A check each 2.5 s, as Chromium sends them."""
MAX_ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdSettings:
    """Whom the viewers watch.

    url: with %d or {camera} for the camera's number. full: so many of the first viewers to join take every packet.
    pid: the server's process, 0 where it is not known.
    """

    url: str
    cameras: int
    full: int
    pid: int
    authorization: str | None = None


def camera_url(template: str, camera: int) -> str:
    """Put a camera's number into a URL."""
    return template.replace("%d", str(camera)).replace("{camera}", str(camera))


def places_of_full(viewers: int, cameras: int, full: int) -> frozenset[int]:
    """Choose which viewers take everything: from the first to the last, as servers serve them in turn.

    They take the cameras in turn as all viewers do: viewer N watches camera N % cameras.
    """
    full = min(full, viewers)
    evenly = (place * (viewers - 1) // max(1, full - 1) for place in range(full))
    return frozenset(near - (near - place) % cameras if near >= place else place for place, near in enumerate(evenly))


class _Look(NamedTuple):
    """How things stand: Unix time, the server's usage, failed joins so far."""

    at_s: float
    usage: Usage
    errors: int


class Crowd:
    """All viewers. `run` is the task that reads and reports; the other methods are called one at a time."""

    def __init__(self, settings: CrowdSettings, link: Link) -> None:
        self._settings = settings
        self._link = link
        self._viewers: list[Viewer] = []
        self._by_descriptor: dict[int, Viewer] = {}
        self._full: frozenset[int] | None = None
        self._errors: list[str] = []
        self._epoll = select.epoll()
        self._certificate = Certificate()

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

    async def _report(self) -> None:
        for turn in range(1 << 62):
            for viewer in self._viewers[turn % REPORT_SLICES :: REPORT_SLICES]:
                viewer.report()
            for viewer in self._viewers[turn % CONSENT_SLICES :: CONSENT_SLICES]:
                viewer.check_consent()
            await trio.sleep(SLICE_S)

    async def join(self, count: int, rate: float) -> Joined:
        """Let `count` more viewers join, `rate` a second, and settle."""
        before = self._look()
        await self._let_join(count, rate)
        return await self._settle(count, before)

    async def storm(self, count: int, rate: float) -> Storm:
        """The same, and measure those who watched before while it goes on."""
        before = self._look()
        watching = self._begin_windows()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, LEAST_WINDOW_S)
            await self._let_join(count, rate)
        watchers = self._end_windows(watching, before)
        joined = await self._settle(count, before)
        return Storm(rate=rate, joined=joined, watchers=watchers, after=await self.measure(AFTER_STORM_S))

    async def watch_alone(self, seconds: float) -> Spread:
        """Let one viewer join who has the camera behind the crowd's for himself, and return his delay."""
        await self._join_one(self._settings.cameras, is_full=True)
        await trio.sleep(SETTLE_S)
        lone = (await self.measure(seconds)).lone
        return Spread.of_seconds([]) if lone is None else lone

    async def _let_join(self, count: int, rate: float) -> None:
        first = sum(viewer.settings.camera < self._settings.cameras for viewer in self._viewers)
        if self._full is None:
            self._full = places_of_full(count, self._settings.cameras, self._settings.full)
        async with trio.open_nursery() as nursery:
            start_s = trio.current_time()
            for place in range(count):
                await trio.sleep_until(start_s + place / rate)
                number = first + place
                nursery.start_soon(
                    partial(self._join_one, number % self._settings.cameras, is_full=number in self._full)
                )
                await self._link.send({"progress": place + 1})
                await trio.lowlevel.checkpoint()

    async def _settle(self, count: int, before: _Look) -> Joined:
        """Wait until bursts are over, and sum up what the newest `count` viewers met since `before`."""
        await trio.sleep(SETTLE_S)
        now = self._look()
        newest = self._viewers[-count:]
        joined = _sum_up_joins(newest, self._errors[before.errors :])
        pictures = [viewer.reception.key_frame for viewer in newest if viewer.reception.key_frame is not None]
        decoded = sum([await trio.to_thread.run_sync(can_be_decoded, picture) for picture in pictures])
        return replace(
            joined,
            pictures_decoded=decoded,
            pictures_failed=len(pictures) - decoded,
            cpu_s=now.usage.cpu_s - before.usage.cpu_s,
            elapsed_s=now.at_s - before.at_s,
            viewer_seconds=sum(
                now.at_s - max(before.at_s, viewer.connected_s)
                for viewer in self._viewers
                if viewer.connected_s is not None
            ),
        )

    async def _join_one(self, camera: int, *, is_full: bool) -> None:
        settings = ViewerSettings(
            url=camera_url(self._settings.url, camera),
            camera=camera,
            number=len(self._viewers),
            full=is_full,
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
        watching, before = self._begin_windows(), self._look()
        while (elapsed_s := time.time() - before.at_s) < seconds:
            await self._link.send({"progress": elapsed_s})
            await trio.sleep(min(PROGRESS_S, seconds - elapsed_s))
        return self._end_windows(watching, before)

    def _begin_windows(self) -> Sequence[Viewer]:
        watching = [viewer for viewer in self._viewers if viewer.connected_s is not None]
        for viewer in watching:
            viewer.begin_window()
        return watching

    def _end_windows(self, watching: Sequence[Viewer], before: _Look) -> Measured:
        """Sum up; windows end in the order in which they began, so that all are of one length."""
        measured = sum_up_windows(watching, time.time() - before.at_s, self._settings.cameras)
        after = self._look().usage
        return replace(measured, cpu_s=after.cpu_s - before.usage.cpu_s, memory_bytes=after.memory_bytes)

    def _look(self) -> _Look:
        used = usage(self._settings.pid) if self._settings.pid else Usage(0.0, 0)
        return _Look(time.time(), used, len(self._errors))


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


def _sum_up_joins(viewers: Sequence[Viewer], errors: Sequence[str]) -> Joined:
    connects, packets, keys = [], [], []
    for viewer in viewers:
        reception = viewer.reception
        if viewer.connected_s is not None:
            connects.append(viewer.connected_s - viewer.requested_s)
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
        viewer_seconds=0.0,
    )


def sum_up_windows(viewers: Sequence[Viewer], elapsed_s: float, cameras: int) -> Measured:
    """Compare what each viewer got with what it should have got; whoever watches none of `cameras` is the lone one."""
    by_camera: dict[int, list[Viewer]] = defaultdict(list)
    for viewer in viewers:
        by_camera[viewer.settings.camera].append(viewer)
    delivered = expected = stalled = spared = missing = full = octets = 0
    delays_s: list[float] = []
    lone = None
    for camera, watchers in by_camera.items():
        windows = [viewer.reception.window for viewer in watchers]
        most = max(window.last_index - window.first_index for window in windows)
        reference = _reference(watchers)
        for viewer, window in zip(watchers, windows, strict=True):
            advanced = window.last_index - window.first_index
            unseen = viewer.reception.packets_per_received - 1
            stands_still = 2 * (advanced + unseen) < most or not most
            delivered += window.received * viewer.reception.packets_per_received
            expected += most if stands_still else advanced
            stalled += stands_still
            missing += window.frames_missing
            if camera < cameras:
                delays_s += window.delays_s
            else:
                lone = Spread.of_seconds(window.delays_s)
            if viewer.reception.full:
                full += 1
                octets += window.octets
            elif reference is not None:
                spared += left_out(window, reference)
    return Measured(
        elapsed_s=elapsed_s,
        delivered=delivered,
        expected=expected,
        refused=sum(viewer.refused_in_window for viewer in viewers),
        left_out=spared,
        frames_missing=missing,
        stalled=stalled,
        bps_of_full_viewer=octets * 8 / elapsed_s / full if full else 0.0,
        cpu_s=0.0,
        memory_bytes=0,
        delay=Spread.of_seconds(delays_s),
        lone=lone,
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
        return {"joined": asdict(await crowd.join(message["join"], message["rate"]))}
    if "storm" in message:
        return {"stormed": asdict(await crowd.storm(message["storm"], message["rate"]))}
    if "alone" in message:
        return {"alone": asdict(await crowd.watch_alone(message["alone"]))}
    return {"measured": asdict(await crowd.measure(message["measure"]))}


async def _run(link: Link) -> None:
    message = await link.receive()
    if message is None:
        return
    crowd = Crowd(CrowdSettings(**message), link)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run)
        await _obey(link, crowd)
        nursery.cancel_scope.cancel()


def _allow_many_sockets() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    _allow_many_sockets()
    trio.run(_run, link_to_parent())
