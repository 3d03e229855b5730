"""A viewer with sound beside its pictures: one connection, two tracks, each with feedback of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.relay.audio import AudioStream
from camgate.relay.stream import Stream
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.peer import Peer, Sound
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp import rtcp
from camgate.wire.rtp.rtcp import Bye, ReportBlock
from tests.fakes.crowd import FakePort, Person
from tests.fakes.frames import make_frame

PCMA = AudioFormat(codec="PCMA", clock_hz=8_000)


class Scene:
    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.stream, self.audio = Stream("front"), AudioStream("front", PCMA)
        self.sender = endpoint.audio_sender(self.audio)
        self.port = FakePort()
        self.person = Person(endpoint, self.port, self.stream, ("192.0.2.9", 9), Sound(self.sender, 8))

    @property
    def peer(self) -> Peer:
        return self.person.peer

    async def live(self, count: int) -> None:
        for number in range(count):
            self.stream.publish(make_frame(number, key=not number, arrival_s=trio.current_time()))
            self.audio.publish(Frame((b"hum",), 160 * number, trio.current_time(), is_key=True))
            await trio.sleep(0.04)

    def ssrcs(self) -> set[int]:
        """Of all RTP that came since this was last asked."""
        came = [datagram for _, datagram in self.port.inboxes.pop(self.person.address, ())]
        return {
            int.from_bytes(datagram[8:12], "big")
            for datagram in came
            if datagram[0] >= 128 and not 192 <= datagram[1] <= 223
        }

    def feed_back(self, packet: bytes) -> None:
        self.person.send(self.person.seal(packet))


@asynccontextmanager
async def _scene() -> AsyncIterator[Scene]:
    endpoint = Endpoint()
    async with trio.open_nursery() as nursery:
        await nursery.start(endpoint.run)
        scene = Scene(endpoint)
        await wait_all_tasks_blocked()
        yield scene
        nursery.cancel_scope.cancel()


async def test_both_tracks_come_with_ssrcs_of_their_own(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.live(5)
        assert scene.ssrcs() == {scene.peer.ssrc, scene.sender.ssrc}
        [statistics] = scene.endpoint.peer_statistics()
        assert statistics.media is not None
        assert statistics.sound is not None
        assert (statistics.media.frames_sent, statistics.sound.packets_sent) == (5, 5)


async def test_feedback_is_taken_by_the_ssrc_that_it_is_about(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.live(2)
        viewer, sound = scene.peer.viewer, scene.sender.ssrc
        scene.feed_back(rtcp.build_nack(1, sound, (7, 8)))
        scene.feed_back(rtcp.build_picture_loss_indication(1, sound))
        assert (viewer.nacks_received, viewer.key_frame_requests) == (0, 0)
        scene.feed_back(rtcp.build_nack(1, viewer.ssrc, (7, 8)))
        scene.feed_back(rtcp.build_picture_loss_indication(1, viewer.ssrc))
        assert (viewer.nacks_received, viewer.key_frame_requests) == (1, 1)
        blocks = (ReportBlock(viewer.ssrc, 64, 0, 0, 900, 0, 0), ReportBlock(sound, 128, 0, 0, 800, 0, 0))
        scene.feed_back(rtcp.build_receiver_report(1, blocks))
        [statistics] = scene.endpoint.peer_statistics()
        assert (statistics.media.loss_fraction, statistics.media.jitter_s) == (0.25, 0.01)
        assert (statistics.sound.loss_fraction, statistics.sound.jitter_s) == (0.5, 0.1)


async def test_sound_that_ends_takes_no_pictures_along(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.live(2)
        scene.audio.close()
        await wait_all_tasks_blocked()
        scene.ssrcs()
        await scene.live(3)
        assert scene.ssrcs() == {scene.peer.ssrc}
        assert scene.endpoint.peer_statistics()[0].sound is None
        assert not scene.peer.closed_reason


async def test_sound_that_fails_takes_no_pictures_along(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.live(2)
        scene.audio.publish(Frame((b"two", b"parts"), 999, trio.current_time(), is_key=True))
        await wait_all_tasks_blocked()
        scene.ssrcs()
        await scene.live(3)
        assert scene.ssrcs() == {scene.peer.ssrc}


async def test_who_leaves_is_told_goodbye_on_both_tracks(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.live(2)
        scene.ssrcs()
        scene.peer.leave("the viewer left")
        await scene.peer.wait_closed()
        await wait_all_tasks_blocked()
        opened = [
            packet
            for _, datagram in scene.port.inboxes[scene.person.address]
            if 192 <= datagram[1] <= 223
            for packet in rtcp.parse_rtcp_untrusted(scene.person.receiver._session.unprotect_rtcp(datagram))
        ]
        gone = {ssrc for packet in opened if isinstance(packet, Bye) for ssrc in packet.ssrcs}
        assert gone == {scene.peer.ssrc, scene.sender.ssrc}
        assert scene.audio.statistics().listeners == 0


async def test_a_sender_of_sound_at_rest_ends_with_its_stream(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        resting = AudioStream("front", PCMA)
        first = scene.endpoint.audio_sender(resting)
        assert scene.endpoint.audio_sender(resting) is first
        await trio.sleep(1)
        resting.close()
        await trio.sleep(2)
        assert scene.endpoint.audio_sender(resting) is not first
