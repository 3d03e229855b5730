"""`ServiceManager`: the end of systemd's notification socket that systemd has, as a real datagram socket."""

import socket
from pathlib import Path

import trio

from tests.fakes.command import DEADLINE_S


class ServiceManager:
    """Hears what a service says. address: as in NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    @classmethod
    def at(cls, directory: Path) -> "ServiceManager":
        return cls(str(directory / "notify"))

    def heard(self) -> list[str]:
        """Return the messages since the last time."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    async def wait(self, words: str) -> list[str]:
        """Wait for a message with `words` in it; returns all up to it."""
        messages: list[str] = []
        with trio.fail_after(DEADLINE_S):
            while not messages or words not in messages[-1]:
                await trio.lowlevel.wait_readable(self._socket)
                messages.append(self._socket.recv(4096).decode())
        return messages

    def close(self) -> None:
        self._socket.close()
