"""What sound costs: a camera's packets on their way in, and each viewer's on their way out over real UDP sockets.

Prints one line a figure; for sound of 50 packets of 160 bytes a second, which is G.711 as most cameras send it. Compare
figures of one machine only, taken one after the other.
"""

import os
import socket
import time

import trio
import trio.testing
from pylibsrtp import Policy, Session

from camgate.relay.audio import AudioStream
from camgate.relay.splice import Splice
from camgate.serve.datagrams import Route, UdpSocket
from camgate.serve.webrtc.audio import AudioSender, Listener
from camgate.serve.webrtc.dtls import SrtpKeys
from camgate.wire.codec.audio import AudioDepacketizer
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.packet import build_rtp_header

PCMA = AudioFormat(codec="PCMA", clock_hz=8_000)
PACKETS_PER_S, BYTES = 50, 160
ROUNDS, PACKETS = 10, 1_000
VIEWERS, FRAMES = 200, 100


def bench_camera() -> float:
    """Return seconds of CPU a packet: from RTP to a frame on the continuous time."""
    packets = [build_rtp_header(8, number, BYTES * number, 1) + bytes(BYTES) for number in range(PACKETS)]
    best_s = float("inf")
    for _ in range(ROUNDS):
        track, splice = AudioDepacketizer(PCMA, payload_type=8), Splice(8_000, least_correction_s=0.02)
        started_s = time.process_time()
        for number, packet in enumerate(packets):
            for frame in track.receive_packet_untrusted(packet, number / PACKETS_PER_S):
                splice.map(frame)
        best_s = min(best_s, time.process_time() - started_s)
    return best_s / PACKETS


async def bench_viewers() -> float:
    """Return seconds of CPU a packet and viewer: encrypt and send, each frame woken for like a live one."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    udp = UdpSocket.bind(socket.AF_INET, "127.0.0.1", 0)
    stream = AudioStream("bench", PCMA)
    sender = AudioSender(stream)
    session = Session(Policy(key=os.urandom(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    for _ in range(VIEWERS):
        keys = SrtpKeys("bench", os.urandom(16), os.urandom(12), session, session)
        sender.add(Listener(keys, Route(udp, sink.getsockname(), []), 8, sender.ssrc))
    best_s = float("inf")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(ROUNDS):
            started_s = time.process_time()
            for number in range(FRAMES):
                stream.publish(Frame((bytes(BYTES),), BYTES * number, trio.current_time(), is_key=True))
                await trio.testing.wait_all_tasks_blocked()
            best_s = min(best_s, time.process_time() - started_s)
        nursery.cancel_scope.cancel()
    for each in (sink, udp.sock):
        each.close()
    return best_s / FRAMES / VIEWERS


def main() -> None:
    camera_s, viewer_s = bench_camera(), trio.run(bench_viewers)
    percent = 100 * PACKETS_PER_S
    print(f"a camera's packet {1e6 * camera_s:.1f} us: {percent * camera_s:.3f} % of a core a camera")
    print(f"a viewer's packet {1e6 * viewer_s:.1f} us: {percent * viewer_s:.3f} % of a core a viewer")


if __name__ == "__main__":
    main()
