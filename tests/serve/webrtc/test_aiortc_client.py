"""A second WebRTC implementation as the viewer: aiortc decodes the pictures, in order, from the first one on."""

import asyncio
import itertools
import json
from array import array
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.lowlevel
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from camgate.config.model import CameraSettings, Settings, WebRtcSettings
from camgate.demo.blocks import Blocks, draw_blocks, read_blocks
from camgate.demo.encoder import Encoder
from camgate.engine import Engine
from camgate.load.meter import Load
from camgate.relay.errors import (
    CameraOffline,
    MachineAtLimit,
    NoCommonCodec,
    PreconditionFailed,
    TooManyViewers,
    UnknownCamera,
    UnknownSession,
)
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.relay.stream import Stream
from camgate.serve.webrtc import endpoint, numbering
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.sender import Sender
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from tests.fakes.endpoint import running_endpoint
from tests.fakes.engine import server_facts
from tests.fakes.tone import TONE_HZ, TONE_LEVEL, pitch_hz, tone

PICTURES = 10
CACHED = 20
HANG_S = 60
WIDTH, HEIGHT, FPS = 640, 360, 25


class Camera:
    """A live source with pictures that count.

    It waits with `CACHED` of them for somebody who watches: however long he takes to join, he joins that group.
    """

    def __init__(self) -> None:
        self.source = Source("front")
        self._encoder = Encoder(width=WIDTH, height=HEIGHT, fps=FPS)
        self.count = 0
        self.warm = trio.Event()

    async def run(self) -> None:
        self.source.begin_session()
        while True:
            if self.count != CACHED or self.source.stream.statistics().subscribers:
                self.publish()
            await trio.sleep(1 / FPS)

    def publish(self) -> None:
        luma = self._encoder.canvas.luma
        draw_blocks(luma.memory, Blocks(self.count, 0, 1), width=WIDTH, stride_bytes=luma.stride_bytes)
        picture = self._encoder.encode(self.count)
        frame = Frame(picture.nals, self.count * 90_000 // FPS, trio.current_time(), picture.is_key)
        self.count += 1
        if self.count == CACHED:
            self.warm.set()
        if self.source.stream.format is None:
            sps, pps = frame.nals[0], frame.nals[1]
            self.source.set_format(
                VideoFormat(sps=sps, pps=pps, profile_level_id=sps[1:4].hex(), width=WIDTH, height=HEIGHT, fps=FPS)
            )
        self.source.publish(frame)
        self.source.set_state(CameraState.LIVE)


class Scene:
    def __init__(self, engine: Engine, camera: Camera, endpoint: Endpoint) -> None:
        self.engine = engine
        self.camera = camera
        self.endpoint = endpoint


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    camera, registry = Camera(), Registry()
    registry.add(camera.source)
    registry.add(Source("away"))
    settings = Settings(
        cameras={"front": CameraSettings(name="front", url="rtsp://192.0.2.1/")},
        webrtc=WebRtcSettings(advertise=("127.0.0.1",)),
    )
    async with running_endpoint() as endpoint, trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        yield Scene(Engine(settings, registry, endpoint), camera, endpoint)
        nursery.cancel_scope.cancel()


async def _watch(scene: Scene, pictures: int) -> list[int]:
    """Play with aiortc in a thread with its own asyncio loop; returns the numbers in the pictures."""

    async def answer(offer: str) -> str:
        return (await scene.engine.answer_offer("front", offer, host="127.0.0.1", wait_s=10)).sdp

    async def play() -> list[int]:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver("video", direction="recvonly")
        tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        pc.on("track", tracks.put_nowait)
        await pc.setLocalDescription(await pc.createOffer())
        offer = pc.localDescription.sdp
        sdp = await asyncio.to_thread(trio.from_thread.run, answer, offer, trio_token=token)
        await pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        track = await tracks.get()
        numbers = []
        for _ in range(pictures):
            picture = await track.recv()
            luma = picture.planes[0]  # type: ignore[union-attr]
            blocks = read_blocks(bytes(luma), width=WIDTH, stride_bytes=luma.line_size)
            assert blocks is not None, "the blocks in the picture cannot be read"
            numbers.append(blocks.frame)
        await pc.close()
        return numbers

    token = trio.lowlevel.current_trio_token()
    with trio.fail_after(HANG_S):
        return await trio.to_thread.run_sync(lambda: asyncio.run(play()))


async def test_pictures_count_up_from_the_first_cached_one(scene: Scene) -> None:
    await scene.camera.warm.wait()
    numbers = await _watch(scene, PICTURES + 20)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "pictures are missing or repeated"
    assert numbers[0] == 0, "a new viewer gets the pictures since the last key frame"
    with trio.fail_after(HANG_S):
        for peer in scene.endpoint.peers():
            assert await peer.wait_closed() == "the viewer left"


async def _listen(scene: Scene, seconds: float) -> list[int]:
    """Listen with aiortc, pictures offered too; returns the samples of so many seconds."""

    async def answer(offer: str) -> str:
        return (await scene.engine.answer_offer("front", offer, host="127.0.0.1", wait_s=10)).sdp

    async def play() -> list[int]:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        tracks = {}
        pc.on("track", lambda track: tracks.update({track.kind: track}))
        for kind in ("video", "audio"):
            pc.addTransceiver(kind, direction="recvonly")
        await pc.setLocalDescription(await pc.createOffer())
        offer = pc.localDescription.sdp
        sdp = await asyncio.to_thread(trio.from_thread.run, answer, offer, trio_token=token)
        await pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        samples: list[int] = []
        while len(samples) < 8_000 * seconds:
            sound = await tracks["audio"].recv()
            assert sound.sample_rate == 8_000
            samples += array("h", bytes(sound.planes[0]))[: sound.samples]
        assert (await tracks["video"].recv()).width == WIDTH
        await pc.close()
        return samples

    token = trio.lowlevel.current_trio_token()
    with trio.fail_after(HANG_S):
        return await trio.to_thread.run_sync(lambda: asyncio.run(play()))


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
async def test_a_tone_is_heard_beside_the_pictures(scene: Scene, codec: str) -> None:
    await scene.camera.warm.wait()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_hum, scene.camera.source, codec)
        samples = await _listen(scene, 1.0)
        nursery.cancel_scope.cancel()
    assert max(samples) > 0.9 * TONE_LEVEL
    assert pitch_hz(samples[-4_000:], 8_000) == pytest.approx(TONE_HZ, rel=0.01)


async def _hum(source: Source, codec: str) -> None:
    source.begin_audio(AudioFormat(codec=codec, clock_hz=8_000))
    for number in itertools.count():
        source.publish_audio(Frame((tone(codec, 160 * number, 160),), 160 * number, trio.current_time(), is_key=True))
        await trio.sleep(0.02)


async def test_pictures_count_on_when_sequence_numbers_wrap(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = 1 << 17
    senders: list[Sender] = []

    def open_sender(stream: Stream, *told: Any) -> Sender:
        senders.append(Sender(stream, *told, first_index=wrap - 20))
        return senders[-1]

    monkeypatch.setattr(endpoint, "Sender", open_sender)
    monkeypatch.setattr(numbering, "START_MARGIN_PACKETS", 1)  # else a viewer so near the wrap starts behind it
    await scene.camera.warm.wait()
    # The cached ones, live ones up to the wrap, of a packet or more each, and enough behind it.
    numbers = await _watch(scene, CACHED + 20 + PICTURES + 1)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "pictures are missing or repeated"
    assert senders[0]._next_index > wrap + PICTURES


async def test_refusals_are_named(scene: Scene) -> None:
    with pytest.raises(UnknownCamera):
        await scene.engine.answer_offer("nobody", "v=0", host=None, wait_s=0)
    offer = _vp8_offer()
    with pytest.raises(CameraOffline):
        await scene.engine.answer_offer("away", offer, host=None, wait_s=0)
    with pytest.raises(NoCommonCodec, match=r"H\.264.*AV1"):
        # Of VP8 one could be made.
        await scene.engine.answer_offer("front", offer.replace("VP8", "AV1"), host=None, wait_s=5)
    with pytest.raises(UnknownSession):
        await scene.engine.add_candidates("nobody", "a=candidate:1")
    assert not await scene.engine.close_viewer("nobody")


async def test_the_limit_of_viewers_holds(scene: Scene) -> None:
    offer = _vp8_offer().replace("VP8/90000", "H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f")
    limit = scene.engine._settings.server.max_viewers
    answers = [await scene.engine.answer_offer("front", offer, host="127.0.0.1", wait_s=5) for _ in range(3)]
    assert scene.endpoint.viewer_count == 3 < limit
    # Not in place: the default settings are one object for all tests.
    settings = scene.engine._settings
    scene.engine._settings = replace(settings, server=replace(settings.server, max_viewers=3))
    with pytest.raises(TooManyViewers, match="All 3 viewer places"):
        await scene.engine.answer_offer("front", offer, host=None, wait_s=0)
    assert await scene.engine.close_viewer(answers[0].session_id)
    await scene.engine.answer_offer("front", offer, host="127.0.0.1", wait_s=0)


async def test_a_machine_at_its_limit_takes_nobody(scene: Scene) -> None:
    scene.engine.load.admission.judge(Load(share=0.9), trio.current_time())
    with pytest.raises(MachineAtLimit, match=r"limits\.max_load"):
        await scene.engine.answer_offer("front", "v=0", host=None, wait_s=0)
    told = scene.engine.server()
    assert (told["at_limit"], told["joins_admitted"]) == (("max_load",), 0)
    assert told["joins_refused"] == {"max_load": 1}


async def test_the_server_tells_as_much_as_its_schema(scene: Scene) -> None:
    facts = server_facts()
    told = scene.engine.server()
    assert told.keys() == facts.keys()
    for part in ("load", "limits", "queues"):
        assert told[part].keys() == facts[part].keys()  # type: ignore[attr-defined]
    json.dumps(told, allow_nan=False)


async def test_an_ice_restart_answers_with_new_credentials(scene: Scene) -> None:
    offer = _vp8_offer().replace("VP8/90000", "H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f")
    answer = await scene.engine.answer_offer("front", offer, host="127.0.0.1", wait_s=5)
    assert await scene.engine.restart_ice(answer.session_id, "a=ice-ufrag:abcd\r\na=candidate:1", None) is None
    with pytest.raises(PreconditionFailed):
        await scene.engine.restart_ice(answer.session_id, "a=ice-ufrag:abcd\r\na=candidate:1", "another")
    new = "a=ice-ufrag:efgh\r\na=ice-pwd:" + "z" * 24
    restarted = await scene.engine.restart_ice(answer.session_id, new, answer.etag)
    assert restarted is not None
    fragment, etag = restarted
    assert etag != answer.etag
    assert f"a=ice-ufrag:{etag}" in fragment
    assert f"127.0.0.1 {scene.endpoint.port} typ host" in fragment


def _vp8_offer() -> str:
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=ice-ufrag:abcd",
        f"a=ice-pwd:{'p' * 24}",
        f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=recvonly",
        "a=rtpmap:96 VP8/90000",
    ]
    return "\r\n".join(lines) + "\r\n"
