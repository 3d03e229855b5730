"""The process of the built-in cameras: one encoded clip, looped by each of them, behind one RTSP server on loopback.

Conversation: it is given its settings, says which port it holds and what the clip is like, and begins to listen when
it is told to: until then a connection is refused, as by a camera that is off.
"""

import time
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from typing import NoReturn

import trio

from camgate.bench.clip import Clip, ClipSettings, encode_clip
from camgate.bench.link import Link, link_to_parent
from camgate.bench.marks import Mark, build_mark
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.relay.stream import VIDEO_CLOCK_HZ
from camgate.serve.rtsp.guests import Guests
from camgate.serve.rtsp.listener import open_udp, serve_rtsp
from camgate.serve.rtsp.service import RtspService
from camgate.wire.codec.frame import Frame

HOST = "127.0.0.1"
BACKLOG = 1024
SPREAD = 0.618034
"""The golden ratio: its multiples, less whole numbers, spread the key frames evenly over any number of cameras."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CamerasSettings:
    """How many cameras, on which port (0 takes a free one)."""

    cameras: int
    port: int = 0
    clip: ClipSettings

    def as_message(self) -> dict[str, object]:
        """Write for the link."""
        return asdict(self)

    @classmethod
    def of_message(cls, message: dict[str, object]) -> "CamerasSettings":
        """Read from the link."""
        clip = message.pop("clip")
        assert isinstance(clip, dict)
        return cls(**message, clip=ClipSettings(**clip))  # type: ignore[arg-type]


def camera_name(number: int) -> str:
    """Name a camera in URLs."""
    return f"cam{number}"


async def film(source: Source, clip: Clip, number: int, cameras: int) -> NoReturn:
    """Publish the clip for ever, each frame with its mark; cameras neither send nor begin their groups in step."""
    interval_s = 1 / clip.fps
    began_s = trio.current_time() + interval_s * number / cameras
    first = int(number * SPREAD % 1 * len(clip.pictures))
    source.begin_session()
    source.set_format(clip.format)
    source.set_state(CameraState.LIVE)
    for slot in count():
        await trio.sleep_until(began_s + slot * interval_s)
        picture = clip.pictures[(first + slot) % len(clip.pictures)]
        *others, last = picture.nals
        mark = build_mark(Mark(time.time_ns() // 1000, slot))
        nals = (*others, last + mark)
        source.publish(Frame(nals, slot * VIDEO_CLOCK_HZ // clip.fps, trio.current_time(), picture.is_key))
    raise AssertionError("count() ended")


async def _serve(settings: CamerasSettings, clip: Clip, listener: trio.SocketListener) -> NoReturn:
    registry = Registry()
    async with trio.open_nursery() as nursery:
        for number in range(settings.cameras):
            source = Source(camera_name(number))
            registry.add(source)
            nursery.start_soon(film, source, clip, number, settings.cameras)
        places = 2 * settings.cameras + 10
        guests = Guests(max_clients=places, max_clients_per_address=places, max_strangers=places)
        service = RtspService(registry=registry, guests=guests, max_connections_per_s=places)
        await serve_rtsp([listener], service, udp=open_udp([listener], port=0))
    raise AssertionError("a server without end ended")


async def _run(link: Link) -> None:
    message = await link.receive()
    if message is None:
        return
    settings = CamerasSettings.of_message(message)
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_STREAM) as sock:
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        await sock.bind((HOST, settings.port))
        clip = await trio.to_thread.run_sync(encode_clip, settings.clip)
        await link.send({"port": sock.getsockname()[1], "bitrate_bps": clip.bitrate_bps})
        if await link.receive() is None:
            return
        sock.listen(BACKLOG)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(_serve, settings, clip, trio.SocketListener(sock)))
            while await link.receive() is not None:
                pass
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_run, link_to_parent())
