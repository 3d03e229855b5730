"""An impaired UDP path between a browser and camgate, in a process of its own.

    python -m tests.fakes.lossy_relay --to PORT --seed 1 --down '{"loss": 0.05}' --up '{}'

Prints `{"port": N}`: who sends there reaches `--to`, each client through a socket of its own. Down is the way to the
client. Answers each line on stdin with what became of the datagrams of both ways so far; ends when stdin closes.
"""

import argparse
import heapq
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from itertools import count

from tests.fakes.network import Impairment, Link

HOST = "127.0.0.1"
ANY_HOST = "0.0.0.0"
"""camgate names all its addresses; the browser may take any of them."""
BUFFER_BYTES = 8 << 20
MAX_DATAGRAM_BYTES = 2_048
DRAIN_LIMIT = 64
"""Datagrams read in one go, before those that are due leave."""

Send = Callable[[bytes], object]


class Relay:
    """Reads, waits, sends on; one loop."""

    def __init__(self, to_port: int, down: Link, up: Link) -> None:
        self._to = (HOST, to_port)
        self.down, self.up = down, up
        self._front = _open_socket()
        self._front.bind((ANY_HOST, 0))
        self.port: int = self._front.getsockname()[1]
        self._clients: dict[object, socket.socket] = {}
        self._on_the_way: list[tuple[float, int, Send, bytes]] = []
        self._order = count()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, self._read_front)

    def run(self) -> None:
        """Relay until stdin closes."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            timeout = self._on_the_way[0][0] - time.monotonic() if self._on_the_way else None
            for key, _ in self._selector.select(timeout):
                if key.data is not None:
                    key.data()
                elif not os.read(key.fd, 1_000):
                    return
                else:
                    self._report()
            self._send_due()

    def _report(self) -> None:
        print(json.dumps({"down": asdict(self.down.counts), "up": asdict(self.up.counts)}), flush=True)

    def _read_front(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(DRAIN_LIMIT):
                data, client = self._front.recvfrom(MAX_DATAGRAM_BYTES)
                if client not in self._clients:
                    self._add_client(client)
                self._offer(self.up, self._clients[client].send, data)

    def _add_client(self, client: object) -> None:
        back = self._clients[client] = _open_socket()
        back.connect(self._to)

        def send(data: bytes) -> None:
            self._front.sendto(data, client)  # type: ignore[call-overload]

        def read() -> None:
            with suppress(BlockingIOError, ConnectionRefusedError):
                for _ in range(DRAIN_LIMIT):
                    self._offer(self.down, send, back.recv(MAX_DATAGRAM_BYTES))

        self._selector.register(back, selectors.EVENT_READ, read)

    def _offer(self, link: Link, send: Send, data: bytes) -> None:
        for arrives_s in link.offer(len(data), time.monotonic()):
            heapq.heappush(self._on_the_way, (arrives_s, next(self._order), send, data))

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._on_the_way and self._on_the_way[0][0] <= now:
            _, _, send, data = heapq.heappop(self._on_the_way)
            # A full buffer or a client that is gone loses the datagram, as networks do.
            with suppress(BlockingIOError, ConnectionRefusedError):
                send(data)


def _open_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    return sock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=int, required=True, help="camgate's UDP port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--down", default="{}", help="an Impairment as JSON")
    parser.add_argument("--up", default="{}")
    options = parser.parse_args()
    down, up = (Impairment(**json.loads(text)) for text in (options.down, options.up))
    relay = Relay(options.to, Link(down, options.seed), Link(up, options.seed + 1))
    print(json.dumps({"port": relay.port}), flush=True)
    relay.run()


if __name__ == "__main__":
    main()
