"""Sound of real RTSP servers that no browser plays: over the real road and a real worker, it is a tone in Opus."""

from itertools import pairwise

import pytest
import trio

from camgate.config.model import CameraSettings
from camgate.ingest.intake import open_intake
from camgate.ingest.supervisor import run_camera
from camgate.relay.source import Source
from camgate.transcode.sound import OPUS_HZ, PACKET_SAMPLES
from camgate.transcode.sounds import SoundPool
from camgate.wire.codec.frame import Frame
from tests.fakes.encoded_sound import decode_opus
from tests.fakes.gst import GstCamera, gst_camera
from tests.fakes.tone import TONE_HZ, pitch_hz

pytestmark = pytest.mark.interop

PATIENCE_S = 30


async def listen(camera: GstCamera, packets: int) -> tuple[str, list[Frame]]:
    """Run camgate's supervisor and its sound worker until so many packets of Opus came."""
    source, pool = Source("gst"), SoundPool()
    settings = CameraSettings(name="gst", url=camera.url, stall_timeout_s=PATIENCE_S)
    with trio.fail_after(PATIENCE_S):
        async with open_intake() as intake, trio.open_nursery() as nursery:
            nursery.start_soon(run_camera, settings, source, intake)
            nursery.start_soon(pool.run)
            await source.wait_live()
            assert source.audio is not None
            with pool.derive(source.audio).subscribe() as listener:
                heard = [await listener.receive() for _ in range(packets)]
            nursery.cancel_scope.cancel()
    return source.audio.format.codec, heard


@pytest.mark.parametrize(
    ("audio", "codec"), [("aac", "MPEG4-GENERIC"), ("latm", "MP4A-LATM"), ("g726", "G726-32"), ("l16", "L16")]
)
async def test_the_tone_comes_as_opus(audio: str, codec: str) -> None:
    async with gst_camera(f"--audio={audio}", "--width=320", "--height=180") as camera:
        received, frames = await listen(camera, 75)
    assert received == codec
    settled = frames[len(frames) // 2 :]
    assert {later.rtp_time - earlier.rtp_time for earlier, later in pairwise(settled)} == {PACKET_SAMPLES}
    _, samples = decode_opus([frame.nals[0] for frame in settled])
    steady = samples[OPUS_HZ // 10 :]
    assert pitch_hz(steady, OPUS_HZ) == pytest.approx(TONE_HZ, rel=0.02)
    assert max(steady) > 5_000
