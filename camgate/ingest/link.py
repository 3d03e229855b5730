"""`Link`: what a session talks RTSP over, read without waiting. A plain socket is one; TLS and HTTP tunnels are others.

No link has a task of its own, and none keeps back what it has decoded: the session reads when the socket has something,
and not before.
"""

from typing import Protocol


class Link(Protocol):
    """One byte stream to a camera and back; all methods as those of a non-blocking socket."""

    def fileno(self) -> int:
        """The descriptor to wait for: readable when `recv_into` may give something."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Read into `buffer`, and return how much; 0 at the end. Raises BlockingIOError for nothing yet, OSError.

        Less than the whole buffer means that nothing is left which the descriptor would not tell.
        """

    def send(self, data: bytes, /) -> int:
        """Send what goes without waiting; return how much was taken. Raises BlockingIOError for nothing, OSError."""

    def shutdown(self, how: int, /) -> None:
        """End the sending side (SHUT_WR); the camera may go on. Raises OSError."""

    def close(self) -> None:
        """Close the sockets, without another word."""
