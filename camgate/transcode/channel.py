"""A worker's end of the socket that joins it with camgate: whole messages, waited for. No Trio here."""

import json
import select
import socket
from collections import deque
from typing import Any

from camgate.transcode.messages import Kind, MessageReader, pack

READ_BYTES = 1 << 18


class Channel:
    """Messages from and to camgate. Reading raises EOFError once camgate is gone, writing OSError."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = MessageReader()
        self._waiting: deque[tuple[Kind, bytes]] = deque()

    def receive(self) -> tuple[Kind, bytes]:
        """Wait for the next message."""
        while not self._waiting:
            self._read()
        return self._waiting.popleft()

    def waiting(self) -> int:
        """Return how many more messages are here already."""
        while select.select([self._sock], [], [], 0)[0]:
            self._read()
        return len(self._waiting)

    def send(self, kind: Kind, *parts: bytes) -> None:
        self.send_packed(pack(kind, *parts))

    def send_packed(self, message: bytes) -> None:
        """Send a message that is made up already."""
        self._sock.sendall(message)

    def send_json(self, kind: Kind, value: dict[str, Any]) -> None:
        self.send(kind, json.dumps(value).encode())

    def _read(self) -> None:
        data = self._sock.recv(READ_BYTES)
        if not data:
            raise EOFError
        self._reader.receive_data(data)
        while (message := self._reader.next_message()) is not None:
            self._waiting.append(message)
