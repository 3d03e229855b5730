"""Whatever happens to a viewer in whatever order: no nonce protects two packets, no gap is ours, and it sees pictures.

The real sender, viewer and burst task at random steps, in virtual time; only socket and clock are fakes.
"""

from collections.abc import Iterator

import trio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.relay.audio import AudioStream
from camgate.relay.stream import Stream
from camgate.serve.webrtc import burst
from camgate.serve.webrtc.audio import AudioSender
from camgate.serve.webrtc.recovery import LONGEST_S
from camgate.serve.webrtc.sender import Sender
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp import rtcp
from tests.fakes.frames import FRAME_S, make_frame
from tests.fakes.receiver import Receiver

GOP = 10
KEY_BYTES, FRAME_BYTES, LARGE_BYTES = 60_000, 3_000, 30_000
SLOW_BYTES_PER_S = 20_000
"""A twentieth of the stream's own rate."""

Step = tuple[str, int, int]
"""What happens, how much of it, and how many packets the viewer asks for right after."""


class Witness:
    """Stands for a viewer's AESGCM and remembers which packet each nonce made."""

    def __init__(self, aead: AESGCM) -> None:
        self._aead = aead
        self.nonces: dict[bytes, bytes] = {}

    def encrypt_into(self, nonce: bytes, data: bytes, header: memoryview, place: memoryview) -> int:
        size = self._aead.encrypt_into(nonce, data, header, place)
        self.nonces[bytes(header) + bytes(place)] = nonce
        return size

    def encrypt(self, nonce: bytes, data: bytes, header: bytes) -> bytes:
        sealed = self._aead.encrypt(nonce, data, header)
        self.nonces[header + sealed] = nonce
        return sealed


class Line:
    """A camera and one viewer whose path, browser and machine are as bad as the steps say."""

    def __init__(self, first_index: int) -> None:
        self.stream = Stream("front")
        self.sender = Sender(self.stream, first_index=first_index)
        self.receiver = Receiver(self.sender.ssrc, playout_delay_id=5)
        self.viewer = self.receiver.viewer
        assert self.viewer._aead is not None
        self._witness = Witness(self.viewer._aead)
        self.viewer._aead = self._witness  # type: ignore[assignment]
        self._count = 0

    def publish(self, *, large: bool = False) -> Frame:
        key = self._count % GOP == 0
        size = KEY_BYTES if key else LARGE_BYTES if large else FRAME_BYTES
        frame = make_frame(self._count, key=key, size=size, arrival_s=trio.current_time())
        self.stream.publish(frame)
        self._count += 1
        return frame

    async def frames(self, count: int, *, large: bool = False) -> None:
        for _ in range(count):
            self.publish(large=large)
            await trio.sleep(FRAME_S)

    async def take(self, step: Step) -> None:
        kind, size, asked = step
        if kind == "frames":
            await self.frames(size)
        elif kind == "large frames":
            await self.frames(size, large=True)
        elif kind == "frames at once":
            for _ in range(size):
                self.publish()
        elif kind == "wait":
            await trio.sleep(size / 1000)
        elif kind == "key frame request":
            self.sender.receive_key_frame_request(self.viewer)
        elif kind == "shed":
            self.sender.shed()
        elif kind == "full":
            self.receiver.socket.full = size
        elif kind == "slow" and self.viewer.pace is not None:
            self.viewer.pace.bytes_per_s = SLOW_BYTES_PER_S
        elif kind == "bad path":
            self.viewer.be_patient(trio.current_time() - size)
        await wait_all_tasks_blocked()
        if asked:
            self.ask_again(asked)

    def ask_again(self, count: int) -> None:
        newest = self.viewer.last_index
        # Some that it has not been sent, too.
        sequences = tuple((newest + 3 - i) & 0xFFFF for i in range(count))
        self.sender.receive_nack(self.viewer, rtcp.Nack(1, self.sender.ssrc, sequences))

    def encrypted(self) -> set[int]:
        """The SRTP indices of all packets that there were."""
        return {int.from_bytes(nonce, "big") ^ self.viewer._salted for nonce in self._witness.nonces.values()}

    def sent(self) -> Iterator[tuple[int, bytes]]:
        """All RTP that left, with the SRTP index of the nonce that it was made with."""
        for datagram in self.receiver.socket.datagrams:
            if not 192 <= datagram[1] <= 223:
                nonce = int.from_bytes(self._witness.nonces[datagram], "big")
                yield (nonce ^ self.viewer._salted), datagram


_ASKED = st.sampled_from([0, 0, 5, 60, 300])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["frames", "large frames", "frames at once"]), st.integers(1, 2 * GOP), _ASKED),
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 1_000, 6_000]), _ASKED),
        st.tuples(st.sampled_from(["key frame request", "shed", "slow"]), st.just(0), _ASKED),
        st.tuples(st.just("full"), st.sampled_from([1, 2, 3, burst.FULL_SOCKET_TRIES + 1]), _ASKED),
        st.tuples(st.just("bad path"), st.sampled_from([0, 60]), _ASKED),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(to_wrap=st.integers(0, 3_000), cached=st.integers(0, 2 * GOP), steps=_STEPS)
def test_no_nonce_protects_two_packets(to_wrap: int, cached: int, steps: list[Step]) -> None:
    trio.run(_live_through, 3 * 65_536 - to_wrap, cached, steps, clock=MockClock(autojump_threshold=0))


async def _live_through(first_index: int, cached: int, steps: list[Step]) -> None:
    line = Line(first_index)
    viewer = line.viewer
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.sender.run)
        nursery.start_soon(burst.send_bursts, viewer)
        await line.frames(cached)
        line.sender.add(viewer)
        for step in steps:
            await line.take(step)
        line.receiver.socket.full = 0
        # Whatever waits is sent or given up by then.
        await trio.sleep(LONGEST_S + 1)
        assert viewer.bursting is None
        await line.frames(2 * GOP)
        await trio.sleep(LONGEST_S)
        newest = line.publish()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    packets: dict[int, bytes] = {}
    for index, datagram in line.sent():
        assert packets.setdefault(index, datagram) == datagram, "one nonce, two packets"
        assert index & 0xFFFF == int.from_bytes(datagram[2:4], "big")
    assert min(packets) < 65_536, "a receiver begins with a rollover counter of 0"
    last = packets[max(packets)]
    timestamp = (newest.rtp_time + line.sender._timestamp_offset) & 0xFFFFFFFF
    assert last[1] & 0x80
    assert int.from_bytes(last[4:8], "big") == timestamp, "the newest picture does not reach it"
    # What a full socket or the end of a burst kept back has a number, and can be asked for.
    assert line.encrypted() >= set(range(min(packets), max(packets))), "a gap that we made"


@settings(max_examples=30, deadline=None)
@given(to_wrap=st.integers(0, 3_000), runs=st.lists(st.integers(10, 40), min_size=1, max_size=4), full=st.booleans())
def test_sound_and_pictures_under_one_key_share_no_nonce(to_wrap: int, runs: list[int], full: bool) -> None:
    trio.run(_listen_and_watch, 3 * 65_536 - to_wrap, runs, full, clock=MockClock(autojump_threshold=0))


async def _listen_and_watch(first_index: int, runs: list[int], full: bool) -> None:
    line = Line(first_index)
    stream = AudioStream("front", AudioFormat(codec="PCMU", clock_hz=8_000))
    sender = AudioSender(stream, first_index=first_index)
    listener = line.receiver.listen(sender.ssrc)
    assert listener._aead is not None
    # One witness for both tracks: what it saw of one key, whichever of them used it.
    listener._aead = line._witness  # type: ignore[assignment]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.sender.run)
        nursery.start_soon(sender.run)
        nursery.start_soon(burst.send_bursts, line.viewer)
        line.publish()
        line.sender.add(line.viewer)
        sender.add(listener)
        await wait_all_tasks_blocked()
        for count in runs:
            line.receiver.socket.full = 3 * full
            for _ in range(count):
                line.publish()
                stream.publish(Frame((b"hum",), 0, trio.current_time(), is_key=True))
                await trio.sleep(FRAME_S)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    sent = [datagram for datagram in line.receiver.socket.datagrams if not 192 <= datagram[1] <= 223]
    nonces = [line._witness.nonces[datagram] for datagram in sent]
    assert len(set(nonces)) == len(nonces), "one nonce, two packets"
    heard = [int.from_bytes(nonce, "big") ^ listener._salted for nonce in nonces]
    heard = [index for index in heard if index < 1 << 48]
    # What a full socket refused took its number along.
    assert heard == sorted(heard)
    assert sum(runs) - 3 * len(runs) * full <= len(heard) <= heard[-1] - heard[0] + 1 <= sum(runs)
    assert heard[0] < 65_536, "a receiver begins with a rollover counter of 0"
