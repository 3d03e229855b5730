"""What camgate and its worker processes say to each other: a kind and a length, then bytes.

Both sides use it, the worker without Trio. Knows nothing of sockets.
"""

import struct
from enum import IntEnum

from camgate.base.errors import RemoteError

MAX_MESSAGE_BYTES = 64 << 20
"""An uncommonly large key frame is 4 MB, a JPEG of the largest picture 20 MB: more is a worker gone mad."""

SNAPSHOT_HEAD = struct.Struct(">8sH")
"""A SNAPSHOT's codec by its name in SDP, and width."""

_HEAD = struct.Struct(">BI")


class Kind(IntEnum):
    """What a message is."""

    SETUP = 1
    """To the worker, first and once: its task, as JSON."""
    SNAPSHOT = 2
    """To the worker: codec and width, then a key frame. It answers PICTURE or FAILED."""
    PICTURE = 3
    """From the worker: a JPEG."""
    FAILED = 4
    """From the worker: why not, in words."""


class WorkerTalksNonsense(RemoteError):
    """A worker sent something that is no message: what it decoded must have broken it."""

    def __str__(self) -> str:
        return "a worker process sent something that is no message"


def pack(kind: Kind, *parts: bytes) -> bytes:
    """Return a message of `parts`."""
    return b"".join((_HEAD.pack(kind, sum(map(len, parts))), *parts))


class MessageReader:
    """Cuts messages out of bytes as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> None:
        self._buffer += data

    def next_message(self) -> tuple[Kind, bytes] | None:
        """Return the next whole message, None when there is none yet. Raises WorkerTalksNonsense."""
        if len(self._buffer) < _HEAD.size:
            return None
        number, size = _HEAD.unpack_from(self._buffer)
        if number not in _KINDS or size > MAX_MESSAGE_BYTES:
            raise WorkerTalksNonsense
        end = _HEAD.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[_HEAD.size : end])
        del self._buffer[:end]
        return Kind(number), body


_KINDS = frozenset(Kind)
