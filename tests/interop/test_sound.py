"""Sound of a real RTSP server beside its pictures: every codec that is passed on, over the session's own transport."""

import itertools
from array import array

import av
import pytest
import trio
from av.audio.resampler import AudioResampler

from camgate.config.model import CameraSettings
from camgate.ingest.intake import open_intake
from camgate.ingest.probe import probe
from camgate.ingest.supervisor import run_camera
from camgate.relay.source import Source
from camgate.wire.codec.frame import Frame
from tests.fakes.gst import GstCamera, gst_camera
from tests.fakes.tone import TONE_HZ, pitch_hz

pytestmark = pytest.mark.interop

PATIENCE_S = 30
RATE_HZ = 16_000
DECODERS = {
    "PCMA": ("pcm_alaw", 8_000),
    "PCMU": ("pcm_mulaw", 8_000),
    "G722": ("g722", 16_000),
    "OPUS": ("opus", 48_000),
}


async def listen(camera: GstCamera, frames: int) -> tuple[Source, list[Frame]]:
    """Run camgate's supervisor on a camera until so many frames of sound came."""
    source = Source("gst")
    settings = CameraSettings(name="gst", url=camera.url)
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


@pytest.mark.parametrize("codec", DECODERS)
async def test_the_tone_comes_as_it_was_sent(codec: str) -> None:
    async with gst_camera(f"--audio={codec.lower()}") as camera:
        source, frames = await listen(camera, 75)
    assert source.stream.statistics().frames > 0
    assert source.audio is not None
    audio = source.audio.format
    assert audio.codec == codec
    # A session's first frames may all be late; where later ones are not, its time is moved to theirs.
    settled = frames[len(frames) // 2 :]
    steps = {later.rtp_time - earlier.rtp_time for earlier, later in itertools.pairwise(settled)}
    assert max(steps) - min(steps) <= audio.clock_hz // 1000, "pieces of sound that do not join"
    samples = decode(codec, frames)[RATE_HZ // 4 :]
    assert pitch_hz(samples, RATE_HZ) == pytest.approx(TONE_HZ, rel=0.01)
    assert max(samples) > 10_000


async def test_probe_says_what_a_browser_hears() -> None:
    async with gst_camera("--audio=g722") as camera:
        result = await probe(CameraSettings(name="gst", url=camera.url), seconds=1)
    assert result.sound == "G.722, passed through"
    assert result.is_playable
