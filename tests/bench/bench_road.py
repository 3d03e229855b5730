"""What each step on the road of a packet costs, for one 720p camera of 2 Mbit/s, 25 pictures a second, GOP 2 s.

Prints one line a step: the best of several rounds, since everything that disturbs a round only makes it slower. Compare
figures of one machine only, taken one after the other.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio
from pylibsrtp import Policy, Session

from camgate.relay.splice import Splice
from camgate.relay.stream import Stream
from camgate.serve.webrtc.burst import packetize
from camgate.serve.webrtc.dtls import SrtpKeys
from camgate.serve.webrtc.packets import FrameBuffer, HeaderProfile, PacketizedFrame
from camgate.serve.webrtc.viewer import Viewer
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.ice import stun
from camgate.wire.rtp.packet import build_rtp_header
from camgate.wire.rtsp.interleaved import InterleavedReader, interleave
from camgate.wire.sdp.offer import parse_offer_untrusted

ROUNDS = 15
FPS, GOP_FRAMES = 25, 50
KEY_FRAME_BYTES, FRAME_BYTES = 60_000, 9_000
READ_BYTES = 65_536
SPS = bytes.fromhex("6742c01fda014016ec0440000003004000000c83c60ca8")
PPS = bytes.fromhex("68ce3c80")
PROFILE = HeaderProfile(102, 5)
SSRC = 1
OFFER = Path(__file__).parent.parent / "fixtures" / "offers" / "chrome-144-macos.sdp"


def make_gop() -> list[Frame]:
    """Make two seconds of frames: sizes and NAL types of a camera, random slices."""
    noise = random.Random(0)
    frames = []
    for number in range(GOP_FRAMES):
        is_key = number == 0
        head = b"\x65\x88" if is_key else b"\x41\x9a"
        slice_nal = head + noise.randbytes(KEY_FRAME_BYTES if is_key else FRAME_BYTES)
        nals = (SPS, PPS, slice_nal) if is_key else (slice_nal,)
        frames.append(Frame(nals, number * 90_000 // FPS, number / FPS, is_key))
    return frames


def camera_packets(frames: list[Frame]) -> list[bytes]:
    """Return the RTP packets in which a camera would send the frames."""
    packets: list[bytes] = []
    for frame in frames:
        payloads = packetize(frame)
        for position, payload in enumerate(payloads):
            marker = position == len(payloads) - 1
            header = build_rtp_header(96, len(packets) & 0xFFFF, frame.rtp_time, SSRC, marker=marker)
            packets.append(header + payload)
    return packets


def report(name: str, run: Callable[[], object], count: int, unit: str) -> None:
    """Time `run`, which does `count` things, and print what one of them costs."""
    best_s = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        best_s = min(best_s, time.perf_counter() - started)
    print(f"{name:<34} {1e6 * best_s / count:9.2f} us per {unit}")


def read_interleaved(received: bytes) -> None:
    reader = InterleavedReader()
    reader.channels = {0}
    for start in range(0, len(received), READ_BYTES):
        reader.receive_data(received[start : start + READ_BYTES])
        reader.next_message_untrusted(0.0)
        reader.take_packets()


def depacketize(packets: list[bytes]) -> int:
    depacketizer = H264Depacketizer()
    return sum(len(depacketizer.receive_packet_untrusted(packet, 0.0)) for packet in packets)


def put_on_time(times: list[tuple[int, float]]) -> None:
    splice = Splice()
    for rtp_time, arrival_s in times:
        splice.map(Frame((), rtp_time, arrival_s, False))


async def fan_out(frames: list[Frame]) -> None:
    stream = Stream("bench")
    with stream.subscribe(max_bytes=1 << 24, max_age_s=1e9) as subscription:
        for frame in frames:
            stream.publish(frame)
            await subscription.receive()


def make_viewer(*, with_gcm: bool) -> Viewer:
    key, salt = (os.urandom(16), os.urandom(12)) if with_gcm else (None, None)
    session = Session(Policy(key=os.urandom(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    route: Any = SimpleNamespace()
    viewer = Viewer(SrtpKeys("bench", key, salt, session, session), route, PROFILE, SSRC)
    viewer.numbers.start(0)
    return viewer


def bench_sending(frames: list[Frame]) -> None:
    packetized = []
    for frame in frames:
        payloads = packetize(frame)
        first = packetized[-1].end_index if packetized else 0
        packetized.append(PacketizedFrame(payloads, first, frame.rtp_time, frame.is_key))
    count = packetized[-1].end_index
    buffers = [FrameBuffer(packets, PROFILE, SSRC) for packets in packetized]

    report("packetise a frame", lambda: [packetize(frame) for frame in frames], count, "packet")
    report("write its headers", lambda: [FrameBuffer(p, PROFILE, SSRC) for p in packetized], count, "packet")
    viewer = make_viewer(with_gcm=True)
    report("encrypt for a viewer, AES-GCM", lambda: [viewer.encrypt(buffer) for buffer in buffers], count, "packet")
    # libsrtp refuses to protect a packet twice, so each round has a viewer of its own.
    report(
        "encrypt for a viewer, AES-CM",
        lambda: [list(v.encrypt(buffer)) for v in [make_viewer(with_gcm=False)] for buffer in buffers],
        count,
        "packet",
    )


def bench_joining() -> None:
    offer = OFFER.read_bytes().decode()
    report("read an offer", lambda: parse_offer_untrusted(offer), 1, "offer")
    check = stun.build_binding_request(bytes(12), "ours:theirs", b"password", priority=1, tie_breaker=1)

    def answer_check() -> None:
        message = stun.parse_stun_untrusted(check)
        assert message.has_integrity(b"password")
        stun.build_binding_success(message, ("192.0.2.1", 5000), b"password")

    report("answer a connectivity check", answer_check, 1, "check")


def main() -> None:
    frames = make_gop()
    packets = camera_packets(frames)
    received = b"".join(interleave(0, packet) for packet in packets)
    assert depacketize(packets) >= GOP_FRAMES - 1
    report("cut RTP out of the TCP stream", lambda: read_interleaved(received), len(packets), "packet")
    report("RTP packets to frames", lambda: depacketize(packets), len(packets), "packet")
    noise = random.Random(0)
    # A clock that is 200 ppm off, over a network that delays by up to 10 ms.
    times = [(number * 3601 & 0xFFFFFFFF, number / FPS + noise.uniform(0, 0.01)) for number in range(5000)]
    report("make a frame, put it on one time", lambda: put_on_time(times), len(times), "frame")
    report("frame through a reader's queue", lambda: trio.run(fan_out, frames), len(frames), "frame")
    bench_sending(frames)
    bench_joining()


if __name__ == "__main__":
    main()
