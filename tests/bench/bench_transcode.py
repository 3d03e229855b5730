"""What transcoding one camera does to the packets of another: lag of the event loop, pictures of its reader.

Three times the same seconds: with nothing transcoded, with a worker process as camgate does it, and with the same work
in a thread, which was rejected. Then what the work itself costs. Nothing else should run.

Run: python -m tests.bench.bench_transcode [--seconds 5] [--width 1920]
"""

import argparse
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from camgate.config.model import TranscodeSettings
from camgate.relay.stream import Stream
from camgate.transcode.encoding import Wish
from camgate.transcode.messages import Media
from camgate.transcode.threads import encoder_threads
from camgate.transcode.transcoder import Transcoder
from camgate.transcode.video import VideoTranscoder
from camgate.wire.codec.frame import Frame
from tests.fakes import encoded

FPS = 25
PICTURES = 50
TICK_S = 0.005


@dataclass
class Seen:
    """Of one run, in seconds."""

    lags: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    gaps: int = 0
    made: int = 0
    first_s: float = 0.0

    def line(self, what: str) -> str:
        lags = sorted(1000 * lag for lag in self.lags)
        figures = (1000 * self.first_s, lags[len(lags) // 2], lags[int(0.99 * len(lags))], lags[-1])
        shown = " ".join(f"{figure:>9.2f}" for figure in figures)
        return f"{what:<22} {self.made:>6} {shown} {1000 * max(self.ages):>12.2f} {self.gaps:>5}"


HEADER = "transcoding            pictures  first ms  lag ms 50      99 %       max  packets, max  gaps"

Way = Callable[[Stream, Seen], Awaitable[None]]


async def measure(width: int, seconds: float, way: Way) -> Seen:
    """Film two cameras in step, transcode one of them in some way, and look at the other."""
    seen, transcoded, other = Seen(), Stream("transcoded"), Stream("other")
    transcoded.set_format(encoded.video_format("H264"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(film, width, transcoded, other)
        await trio.sleep(1)
        nursery.start_soon(watch_loop, seen)
        nursery.start_soon(watch_packets, other, seen)
        nursery.start_soon(way, transcoded, seen)
        await trio.sleep(seconds)
        nursery.cancel_scope.cancel()
    return seen


async def film(width: int, *streams: Stream) -> None:
    pictures = list(encoded.frames("H264", **pictures_of(width)))
    number = 0
    due_s = trio.current_time()
    while True:
        picture = pictures[number % len(pictures)]
        for stream in streams:
            stream.publish(Frame(picture.nals, number * 3600, trio.current_time(), picture.is_key))
        number += 1
        due_s += 1 / FPS
        await trio.sleep_until(due_s)


def pictures_of(width: int) -> dict[str, object]:
    return {"pictures": PICTURES, "width": width, "height": width * 9 // 16, "noise": True, "crf": "45"}


async def watch_loop(seen: Seen) -> None:
    while True:
        due_s = trio.current_time() + TICK_S
        await trio.sleep_until(due_s)
        seen.lags.append(trio.current_time() - due_s)


async def watch_packets(stream: Stream, seen: Seen) -> None:
    last = None
    with stream.subscribe() as reader:
        async for frame in reader:
            seen.ages.append(trio.current_time() - frame.arrival_s)
            seen.gaps += last is not None and frame.rtp_time != last + 3600
            last = frame.rtp_time


async def nothing(source: Stream, seen: Seen) -> None:
    await trio.sleep_forever()


async def in_a_process(source: Stream, seen: Seen) -> None:
    began_s = trio.current_time()
    transcoder = Transcoder(source, "H264", TranscodeSettings(hardware="off", max_width=8192))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(transcoder.run)
        with transcoder.stream.subscribe() as reader:
            async for _ in reader:
                seen.first_s = seen.first_s or trio.current_time() - began_s
                seen.made += 1


async def in_a_thread(source: Stream, seen: Seen) -> None:
    began_s = trio.current_time()
    transcoder = VideoTranscoder("H264", Wish("H264", 4000, "off", encoder_threads()), 0)
    with source.subscribe(max_age_s=1.0) as reader:
        for frame in source.gop()[:-1]:
            await trio.to_thread.run_sync(take, transcoder, frame, True)
        async for frame in reader:
            seen.made += len(await trio.to_thread.run_sync(take, transcoder, frame, False))
            seen.first_s = seen.first_s or trio.current_time() - began_s


def take(transcoder: VideoTranscoder, frame: Frame, is_unseen: bool) -> list[Media]:
    media = Media(frame.rtp_time, frame.arrival_s, frame.is_key, frame.nals, is_unseen)
    return list(transcoder.take(media, is_busy=False))


def cost(width: int, target: str) -> float:
    """Return CPU seconds a picture, decoded and encoded."""
    transcoder = VideoTranscoder("H264", Wish(target, 4000, "off", 1), 0)
    frames = list(encoded.frames("H264", **pictures_of(width)))
    begin_s = time.process_time()
    for frame in frames:
        take(transcoder, frame, False)
    return (time.process_time() - begin_s) / len(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--width", type=int, default=1280)
    options = parser.parse_args()
    encoded.encode("H264", **pictures_of(options.width))
    print(HEADER)
    for what, way in (("nothing", nothing), ("in a process", in_a_process), ("in a thread", in_a_thread)):
        print(trio.run(measure, options.width, options.seconds, way).line(what))
    for target in ("H264", "VP8"):
        share = 100 * cost(options.width, target) * FPS
        print(f"transcode: {share:.0f} % of a core for {options.width} wide at {FPS} fps, H.264 to {target}")


if __name__ == "__main__":
    main()
