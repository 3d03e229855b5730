"""Every pair of video and sound that cameras send, over each transport, as one camera of gst-rtsp-server."""

import itertools
from collections import defaultdict
from pathlib import Path

import pytest
import trio

from camgate.config.model import Transport
from tests.fakes.certificates import make_certificate
from tests.fakes.gst import gst_camera
from tests.fakes.pairs import combinations
from tests.fakes.watching import PATIENCE_S, assert_counter_rises, watching

pytestmark = pytest.mark.interop

VIDEOS = {
    "baseline": ("--profile=constrained-baseline", "H.264 Constrained Baseline"),
    "main": ("--profile=main", "H.264 Main"),
    "high": ("--profile=high", "H.264 High"),
    "h265": ("--codec=h265", "H.265 Main"),
}
SOUNDS = {"none": None, "pcma": "PCMA", "opus": "OPUS", "aac": "MPEG4-GENERIC"}
TRANSPORTS = ("tcp", "udp", "tls")
FRAMES = 30
SOUND_FRAMES = 20

CASES: dict[str, list[tuple[str, str]]] = defaultdict(list)
for _video, _sound, _transport in combinations(tuple(VIDEOS), tuple(SOUNDS), TRANSPORTS):
    CASES[_video].append((_sound, _transport))


def test_every_pair_is_there() -> None:
    assert {(video, sound) for video in CASES for sound, _ in CASES[video]} == {
        (video, sound) for video in VIDEOS for sound in SOUNDS
    }
    assert all({transport for _, transport in cases} == set(TRANSPORTS) for cases in CASES.values())
    for sound in SOUNDS:
        assert {transport for cases in CASES.values() for its, transport in cases if its == sound} == set(TRANSPORTS)


@pytest.mark.parametrize("video", VIDEOS)
async def test_pictures_and_sound_come(video: str, tmp_path: Path) -> None:
    """The cameras of one kind of video side by side."""
    async with trio.open_nursery() as nursery:
        for number, (sound, transport) in enumerate(CASES[video]):
            folder = tmp_path / str(number)
            folder.mkdir()
            nursery.start_soon(watch, video, sound, transport, folder)


async def watch(video: str, sound: str, transport: str, folder: Path) -> None:
    argument, label = VIDEOS[video]
    arguments = [argument, "--width=320", "--height=180", "--gop=10"]
    arguments += [f"--audio={sound}"] if sound != "none" else []
    options: dict[str, object] = {"transport": Transport.UDP if transport == "udp" else Transport.TCP}
    if transport == "tls":
        certificate = make_certificate(folder, address="127.0.0.1")
        arguments.append(f"--certificate={certificate.file}")
        options |= {"tls_fingerprint": certificate.fingerprint}
    async with gst_camera(*arguments) as camera, watching(camera, **options) as viewing:
        assert_counter_rises(await viewing.wait_frames(FRAMES), codec="H265" if video == "h265" else "H264")
        source = viewing.source
        assert source.stream.format is not None
        assert source.stream.format.label == label
        assert source.statistics().transport == transport
        codec = SOUNDS[sound]
        assert (source.audio.format.codec if source.audio else None) == codec
        if source.audio is not None:
            with trio.fail_after(PATIENCE_S), source.audio.subscribe() as listener:
                heard = [await listener.receive() for _ in range(SOUND_FRAMES)]
            assert all(later.rtp_time > earlier.rtp_time for earlier, later in itertools.pairwise(heard))
