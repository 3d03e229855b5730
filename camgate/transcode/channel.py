"""A worker's end of the socket that joins it with camgate: whole messages, waited for. No Trio here."""

import json
import select
import socket
from typing import Any

from camgate.transcode.messages import Kind, MessageReader, pack

READ_BYTES = 1 << 18


class Channel:
    """Messages from and to camgate. Reading raises EOFError once camgate is gone, writing OSError."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = MessageReader()
        self._next: tuple[Kind, bytes] | None = None

    def receive(self) -> tuple[Kind, bytes]:
        """Wait for the next message."""
        message, self._next = self._next or self._reader.next_message(), None
        while message is None:
            self._read()
            message = self._reader.next_message()
        return message

    def has_more(self) -> bool:
        """Say whether another whole message is here already."""
        while self._next is None:
            self._next = self._reader.next_message()
            if self._next is None:
                if not select.select([self._sock], [], [], 0)[0]:
                    return False
                self._read()
        return True

    def send(self, kind: Kind, *parts: bytes) -> None:
        self._sock.sendall(pack(kind, *parts))

    def send_json(self, kind: Kind, value: dict[str, Any]) -> None:
        self.send(kind, json.dumps(value).encode())

    def _read(self) -> None:
        data = self._sock.recv(READ_BYTES)
        if not data:
            raise EOFError
        self._reader.receive_data(data)
