"""What the RTSP server costs: CPU of its process a packet that reaches one of many clients, by TCP and by UDP.

One 720p camera of 2 Mbit/s, 25 pictures a second, GOP 2 s, from a clip that was encoded before. The server is a process
of its own; the clients are in this one and only count bytes. Prints a line a transport.

Run: python -m tests.bench.bench_rtsp_server [--clients 50] [--seconds 8]
"""

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import NoReturn

import trio

from camgate.bench.clip import Clip, ClipSettings, encode_clip
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.relay.stream import VIDEO_CLOCK_HZ
from camgate.serve.rtsp.guests import Guests
from camgate.serve.rtsp.listener import open_udp, serve_rtsp
from camgate.serve.rtsp.service import RtspService
from camgate.wire.codec.frame import Frame

HOST, NAME = "127.0.0.1", "cam"
SETTLE_S = 1.0
"""Joins and their bursts are over."""

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--serve", action="store_true", help="be the server")
    options = parser.parse_args()
    if options.serve:
        trio.run(_serve)
        return
    for transport in ("tcp", "udp"):
        with _server() as (pid, port):
            trio.run(_measure, pid, port, transport, options)


async def _serve() -> None:
    clip = encode_clip(ClipSettings())
    source = Source(NAME)
    registry = Registry()
    registry.add(source)
    service = RtspService(registry=registry, guests=Guests(max_clients=10_000, max_clients_per_address=10_000))
    listeners = await trio.open_tcp_listeners(0, host=HOST)
    udp = open_udp(listeners, port=0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_film, source, clip)
        nursery.start_soon(partial(serve_rtsp, listeners, service, udp=udp))
        print(listeners[0].socket.getsockname()[1], flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


async def _film(source: Source, clip: Clip) -> NoReturn:
    source.begin_session()
    source.set_format(clip.format)
    source.set_state(CameraState.LIVE)
    began_s = trio.current_time()
    for slot in count():
        await trio.sleep_until(began_s + slot / clip.fps)
        picture = clip.pictures[slot % len(clip.pictures)]
        source.publish(Frame(picture.nals, slot * VIDEO_CLOCK_HZ // clip.fps, trio.current_time(), picture.is_key))
    raise AssertionError("count() ended")


class Counter:
    """Counts what the clients receive."""

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0

    async def read_tcp(self, stream: trio.SocketStream) -> None:
        """Count interleaved packets by their `$` and length, as far as the server's answers have been read."""
        rest = b""
        while True:
            data = rest + await stream.receive_some(65_536)
            at = 0
            while at + 4 <= len(data) and at + 4 + (size := int.from_bytes(data[at + 2 : at + 4], "big")) <= len(data):
                at += 4 + size
                self.packets += 1
            self.bytes += at
            rest = data[at:]

    async def read_udp(self, sock: socket.socket) -> None:
        buffer = bytearray(2048)
        while True:
            await trio.lowlevel.wait_readable(sock)
            try:
                while True:
                    self.bytes += sock.recv_into(buffer)
                    self.packets += 1
            except BlockingIOError:
                pass


@contextmanager
def _server() -> Iterator[tuple[int, int]]:
    """Run a server; gives its process id and its port."""
    command = [sys.executable, "-m", "tests.bench.bench_rtsp_server", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.pid, int(server.stdout.readline())
        server.stdin.close()


async def _measure(pid: int, port: int, transport: str, options: argparse.Namespace) -> None:
    counter = Counter()
    with ExitStack() as sockets:
        async with trio.open_nursery() as nursery:
            for _ in range(options.clients):
                await _play(transport, port, counter, nursery, sockets)
            await trio.sleep(SETTLE_S)
            before = _cpu_s(pid), counter.packets, counter.bytes
            await trio.sleep(options.seconds)
            cpu_s, packets, received = _cpu_s(pid) - before[0], counter.packets - before[1], counter.bytes - before[2]
            nursery.cancel_scope.cancel()
    rate = 8 * received / options.seconds / options.clients / 1e6
    print(
        f"{transport}: {1e6 * cpu_s / packets:5.2f} us a packet, {100 * cpu_s / options.seconds:4.1f} % of a core for "
        f"{options.clients} clients at {rate:.2f} Mbit/s each"
    )


async def _play(transport: str, port: int, counter: Counter, nursery: trio.Nursery, sockets: ExitStack) -> None:
    stream = await trio.open_tcp_stream(HOST, port)
    url = f"rtsp://{HOST}:{port}/{NAME}"
    offer = "RTP/AVP/TCP;unicast;interleaved=0-1"
    if transport == "udp":
        sock = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((HOST, 0))
        own_port = sock.getsockname()[1]
        offer = f"RTP/AVP;unicast;client_port={own_port}-{own_port + 1 if own_port < 65535 else own_port - 1}"
        nursery.start_soon(counter.read_udp, sock)
    await stream.send_all(f"SETUP {url}/track0 RTSP/1.0\r\nCSeq: 1\r\nTransport: {offer}\r\n\r\n".encode())
    answer = (await stream.receive_some()).decode()
    session = answer.partition("Session: ")[2].partition(";")[0]
    await stream.send_all(f"PLAY {url} RTSP/1.0\r\nCSeq: 2\r\nSession: {session}\r\n\r\n".encode())
    answered = b""
    while not answered.endswith(b"\r\n\r\n"):
        answered += await stream.receive_some(1)
    nursery.start_soon(counter.read_tcp, stream)


def _cpu_s(pid: int) -> float:
    # proc(5): user and system time are the 14th and 15th field; the name before them may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


if __name__ == "__main__":
    main()
