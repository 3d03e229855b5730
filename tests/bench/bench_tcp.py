"""What a packet costs by ICE-TCP beside UDP: encrypted, framed and handed to the kernel for 50 viewers on loopback.

Viewers are sockets in a process of their own, which takes what comes and keeps nothing. Frames come at a pace that both
ways keep up with, and both take turns, so that what else the machine does is the same for them. Processor time counts,
with the kernel's share of it; the best of several rounds. Run: python -m tests.bench.bench_tcp
"""

import multiprocessing
import select
import socket
import time
from collections.abc import Iterator

from camgate.serve.datagrams import PacketSocket, Route, UdpSocket
from camgate.serve.webrtc.burst import packetize
from camgate.serve.webrtc.packets import FrameBuffer, PacketizedFrame
from camgate.serve.webrtc.tcp import TcpChannel, prepare
from tests.bench.bench_road import PROFILE, SSRC, make_gop, make_viewer

HOST = "127.0.0.1"
VIEWERS = 50
ROUNDS = 5
PAUSE_S = 0.02
"""Between frames, in which the viewers read."""
READ_BYTES = 1 << 18


def drain(sockets: list[socket.socket]) -> None:
    """Take what comes on the viewers' sockets, until killed."""
    poll = select.epoll()
    by_descriptor = {sock.fileno(): sock for sock in sockets}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            by_descriptor[descriptor].recv(READ_BYTES)


def open_udp() -> tuple[PacketSocket, Route, socket.socket]:
    viewer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 << 20)
    viewer.bind((HOST, 0))
    ours = UdpSocket.bind(socket.AF_INET, HOST, 0)
    return ours, ours.route_to(viewer.getsockname(), []), viewer


def open_tcp() -> tuple[PacketSocket, Route, socket.socket]:
    with socket.create_server((HOST, 0)) as listening:
        viewer = socket.create_connection(listening.getsockname())
        accepted, address = listening.accept()
    prepare(accepted)
    channel = TcpChannel(accepted)
    return channel, channel.route_to(address, []), viewer


def frames() -> Iterator[PacketizedFrame]:
    """A camera's frames without an end, numbered on."""
    gop = make_gop()
    first = time_ = 0
    while True:
        for frame in gop:
            payloads = packetize(frame)
            yield PacketizedFrame(payloads, first, time_, frame.is_key)
            first, time_ = first + len(payloads), time_ + 3_600


def measure() -> dict[str, float]:
    """Return microseconds a packet, by transport."""
    ways = {"UDP": [open_udp() for _ in range(VIEWERS)], "ICE-TCP": [open_tcp() for _ in range(VIEWERS)]}
    reader = multiprocessing.get_context("fork").Process(
        target=drain, args=([sock for way in ways.values() for _, _, sock in way],), daemon=True
    )
    reader.start()
    viewers = {name: [make_viewer(with_gcm=True) for _ in way] for name, way in ways.items()}
    for name, way in ways.items():
        for viewer, (_, route, _) in zip(viewers[name], way, strict=True):
            viewer.route = route
    best_us = dict.fromkeys(ways, float("inf"))
    source = frames()
    for _ in range(ROUNDS):
        used_s, packets = dict.fromkeys(ways, 0.0), 0
        for _ in range(len(make_gop())):
            frame = next(source)
            packets += len(frame.payloads) * VIEWERS
            for name, watching in viewers.items():
                began_s = time.process_time()
                buffer = FrameBuffer(frame, PROFILE, SSRC)
                for viewer in watching:
                    assert viewer.send_frame(buffer) == len(buffer.batches), "a viewer's socket is full"
                used_s[name] += time.process_time() - began_s
                time.sleep(PAUSE_S)
        for name, seconds in used_s.items():
            best_us[name] = min(best_us[name], 1e6 * seconds / packets)
    reader.kill()
    reader.join()
    return best_us


def main() -> None:
    best_us = measure()
    for name, each_us in best_us.items():
        print(f"{'a packet by ' + name:<34} {each_us:9.2f} us of CPU, encryption and the kernel's part included")
    print(f"{'ICE-TCP over UDP':<34} {best_us['ICE-TCP'] / best_us['UDP']:9.2f} times")


if __name__ == "__main__":
    main()
