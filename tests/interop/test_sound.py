"""Sound of a real RTSP server beside its pictures: every codec that is passed on, over the session's own transport."""

import math
import statistics
import time
from array import array
from itertools import pairwise

import av
import pytest
import trio
from av.audio.resampler import AudioResampler

from camgate.config.model import CameraSettings
from camgate.demo.blocks import Blocks
from camgate.ingest.intake import open_intake
from camgate.ingest.probe import probe
from camgate.ingest.supervisor import run_camera
from camgate.relay.audio import AudioStream
from camgate.relay.source import Source
from camgate.relay.splice import MIN_STEP_S
from camgate.relay.stream import Stream
from camgate.wire.codec.frame import Frame
from tests.fakes.decode import BlocksDecoder
from tests.fakes.gst import GstCamera, gst_camera
from tests.fakes.tone import TONE_HZ, pitch_hz

pytestmark = pytest.mark.interop

PATIENCE_S = 30
RATE_HZ = 16_000
SMALL = ("--width=320", "--height=180")
"""Pictures that cost little, where only the sound is looked at."""
MAX_SKEW_S = 0.05
PICTURE_DELAY_MS = 120
DECODERS = {
    "PCMA": ("pcm_alaw", 8_000),
    "PCMU": ("pcm_mulaw", 8_000),
    "G722": ("g722", 16_000),
    "OPUS": ("opus", 48_000),
}


async def listen(camera: GstCamera, frames: int) -> tuple[Source, list[Frame]]:
    """Run camgate's supervisor on a camera until so many frames of sound came."""
    source = Source("gst")
    settings = CameraSettings(name="gst", url=camera.url, stall_timeout_s=PATIENCE_S)
    with trio.fail_after(PATIENCE_S):
        async with open_intake() as intake, trio.open_nursery() as nursery:
            nursery.start_soon(run_camera, settings, source, intake)
            await source.wait_live()
            assert source.audio is not None
            with source.audio.subscribe() as listener:
                heard = [await listener.receive() for _ in range(frames)]
            nursery.cancel_scope.cancel()
    return source, heard


def decode(codec: str, frames: list[Frame]) -> list[int]:
    """Decode with FFmpeg; returns mono samples of 16 bits at RATE_HZ."""
    name, rate_hz = DECODERS[codec]
    decoder = av.CodecContext.create(name, "r")
    decoder.sample_rate, decoder.layout = rate_hz, "mono"  # type: ignore[attr-defined]
    resampler = AudioResampler("s16", "mono", RATE_HZ)
    samples: list[int] = []
    for frame in frames:
        for piece in decoder.decode(av.Packet(frame.nals[0])):
            for resampled in resampler.resample(piece):  # type: ignore[arg-type]
                samples += array("h", bytes(resampled.planes[0]))[: resampled.samples]
    return samples


def ticks_of(codec: str, frame: Frame) -> int:
    """How long a frame lasts: 64 kbit/s on a clock of 8 kHz is a byte a tick, and Opus is sent by 20 ms.

    A busy server cuts its sound into pieces of other lengths now and then.
    """
    return 960 if codec == "OPUS" else frame.size_bytes


@pytest.mark.parametrize("codec", DECODERS)
async def test_the_tone_comes_as_it_was_sent(codec: str) -> None:
    async with gst_camera(f"--audio={codec.lower()}", *SMALL) as camera:
        source, frames = await listen(camera, 75)
    assert source.stream.statistics().frames > 0
    assert source.audio is not None
    audio = source.audio.format
    assert audio.codec == codec
    steps = [(later.rtp_time - earlier.rtp_time, ticks_of(codec, earlier)) for earlier, later in pairwise(frames)]
    # A session's first frames may all be late on a busy machine. Where later ones are not, its time is moved to theirs:
    # until they fit, they are nearer to each other than they are long.
    apart = [step - length for step, length in steps]
    close = audio.clock_hz // 1000
    assert max(apart) <= close, "sound that is missing between two pieces"
    assert min(step for step, _ in steps) >= MIN_STEP_S * audio.clock_hz
    assert sum(ticks >= -close for ticks in apart) > len(frames) // 2, "pieces of sound that do not join"
    samples = decode(codec, frames)[RATE_HZ // 4 :]
    assert pitch_hz(samples, RATE_HZ) == pytest.approx(TONE_HZ, rel=0.01)
    assert max(samples) > 6_000


async def test_probe_says_what_a_browser_hears() -> None:
    async with gst_camera("--audio=g722") as camera:
        result = await probe(CameraSettings(name="gst", url=camera.url), seconds=1)
    assert result.sound == "G.722, passed through"
    assert result.is_playable


async def test_sound_and_picture_are_told_the_same_time() -> None:
    """The camera's clock is drawn into its pictures, which are late, and changes the level of its tone each second."""
    source = Source("gst")
    clocks = Clocks()
    async with gst_camera("--audio=pcma", f"--picture-delay-ms={PICTURE_DELAY_MS}") as camera:
        settings = CameraSettings(name="gst", url=camera.url)
        async with open_intake() as intake, trio.open_nursery() as nursery:
            nursery.start_soon(run_camera, settings, source, intake)
            with trio.fail_after(PATIENCE_S):
                await source.wait_live()
            assert source.audio is not None
            nursery.start_soon(clocks.watch, source.stream)
            nursery.start_soon(clocks.listen, source.audio)
            for _ in range(2 * PATIENCE_S):
                await trio.sleep(0.5)
                if abs(apart_s := clocks.apart_s(source.audio)) < MAX_SKEW_S:
                    break
            nursery.cancel_scope.cancel()
    skew_s = source.audio.statistics().skew_s
    assert abs(apart_s) < MAX_SKEW_S, f"{apart_s=}, {skew_s=}, {len(clocks.edges)} edges of the tone"
    assert skew_s > PICTURE_DELAY_MS / 4000, "told by the reports, not by luck"


class Clocks:
    """How much later than the camera's clock says its pictures and its sound are told to have been."""

    def __init__(self) -> None:
        self.pictures: list[float] = []
        self.edges: list[float] = []

    async def watch(self, stream: Stream) -> None:
        decoder = BlocksDecoder()
        with stream.subscribe() as reader:
            for frame in stream.gop():
                self._take(decoder, frame)
            async for frame in reader:
                self._take(decoder, frame)

    def _take(self, decoder: BlocksDecoder, frame: Frame) -> None:
        self.pictures += [frame.rtp_time / 90_000 - drawn_s(blocks) for blocks in decoder.decode(frame) if blocks]

    async def listen(self, stream: AudioStream) -> None:
        before = None
        with stream.subscribe() as reader:
            async for frame in reader:
                loud = max(map(abs, decode("PCMA", [frame]))) > 12_000
                if before is not None and loud is not before:
                    self.edges.append(frame.rtp_time / 8_000)
                before = loud

    def apart_s(self, audio: AudioStream) -> float:
        """Return by how much sound is told to be later than pictures, at most 0.5 either way; infinite when unknown."""
        if len(self.edges) < 5 or not self.pictures:
            return math.inf
        picture_s = statistics.median(self.pictures[-50:])
        # The level changes at full seconds.
        sound_s = statistics.median((edge_s - picture_s + 0.5) % 1 - 0.5 for edge_s in self.edges[-5:])
        return sound_s + audio.lip_sync.skew_s(trio.current_time())


def drawn_s(blocks: Blocks) -> float:
    """Return the Unix time at which a picture was drawn, of which it tells the lower 32 bits in milliseconds."""
    now_ms = round(time.time() * 1000)
    return (now_ms - ((now_ms - blocks.time_ms) & 0xFFFFFFFF)) / 1000
