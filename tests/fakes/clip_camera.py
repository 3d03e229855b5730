"""A camera of a given bit rate and distance of key frames, in a process of its own.

One clip, encoded at the start and looped, so that it costs next to nothing beside the browser that is measured. Row 0
of its blocks (see `camgate.demo.blocks`) is the picture's place in the loop. Prints one JSON object, {"port",
"began_ms", "interval_ms", "loop"}: picture `n` of the loop was taken at `began_ms + (n + k * loop) * interval_ms` of
Unix time, for every k. Ends when its standard input does.
"""

import argparse
import json
import sys
import time
from itertools import count
from typing import NoReturn

import trio

from camgate.bench.clip import Clip, ClipSettings, encode_clip
from camgate.demo.blocks import Blocks, draw_blocks
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.relay.stream import VIDEO_CLOCK_HZ
from camgate.serve.rtsp.listener import serve_rtsp
from camgate.serve.rtsp.service import RtspService
from camgate.wire.codec.frame import Frame

HOST = "127.0.0.1"
NAME = "cam"


def main() -> None:
    parser = argparse.ArgumentParser(description="A camera that loops a clip.")
    parser.add_argument("--mbit", type=float, default=2.0)
    parser.add_argument("--gop", type=float, default=4.0, help="seconds between key frames")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    options = parser.parse_args()
    settings = ClipSettings(
        width=options.width, height=options.height, bitrate_bps=round(options.mbit * 1e6), gop_s=options.gop
    )

    def paint(luma: memoryview, stride_bytes: int, slot: int) -> None:
        draw_blocks(luma, Blocks(slot, 0, 1), width=settings.width, stride_bytes=stride_bytes)

    trio.run(_run, encode_clip(settings, paint))


async def _run(clip: Clip) -> None:
    registry = Registry()
    source = Source(NAME)
    registry.add(source)
    listeners = await trio.open_tcp_listeners(0, host=HOST)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_film, source, clip, listeners[0].socket.getsockname()[1])
        nursery.start_soon(serve_rtsp, listeners, RtspService(registry=registry))
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


async def _film(source: Source, clip: Clip, port: int) -> NoReturn:
    source.begin_session()
    source.set_format(clip.format)
    source.set_state(CameraState.LIVE)
    began_s, began_ms = trio.current_time(), time.time() * 1000
    facts = {"port": port, "began_ms": began_ms, "interval_ms": 1000 / clip.fps, "loop": len(clip.pictures)}
    print(json.dumps(facts), flush=True)
    for slot in count():
        await trio.sleep_until(began_s + slot / clip.fps)
        picture = clip.pictures[slot % len(clip.pictures)]
        source.publish(Frame(picture.nals, slot * VIDEO_CLOCK_HZ // clip.fps, trio.current_time(), picture.is_key))
    raise AssertionError("count() ended")


if __name__ == "__main__":
    main()
