"""What camgate and its worker processes say to each other: a kind and a length, then bytes.

Both sides use it, the worker without Trio. Knows nothing of sockets.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from camgate.base.errors import RemoteError

MAX_MESSAGE_BYTES = 64 << 20
"""An uncommonly large key frame is 4 MB, a JPEG of the largest picture 20 MB: more is a worker gone mad."""

SNAPSHOT_HEAD = struct.Struct(">8sH")
"""A SNAPSHOT's codec by its name in SDP, and width."""

SOUND_ID = struct.Struct(">I")
"""Which of the sound worker's streams a message is about."""

_HEAD = struct.Struct(">BI")
_MEDIA_HEAD = struct.Struct(">qdB")
_SIZE = struct.Struct(">I")
_COUNTS = struct.Struct(">5I")
_KEY = 1
_UNSEEN = 2


class Kind(IntEnum):
    """What a message is."""

    SETUP = 1
    """To the worker, first and once: its task, as JSON."""
    SNAPSHOT = 2
    """To the worker: codec and width, then a key frame. It answers PICTURE or FAILED."""
    PICTURE = 3
    """From the worker: a JPEG."""
    FAILED = 4
    """From the worker: why not, in words. Of a snapshot; of a transcoder, which ends with it."""
    MEDIA = 5
    """A frame of the camera to the worker, one of the derived stream from it."""
    KEY = 6
    """To the worker: the next picture shall be a key frame."""
    READY = 7
    """From the worker: it waits for frames, and what it will do, as JSON. Again when that changes."""
    TAKEN = 8
    """From the worker, for each frame: what became of all so far."""
    OPEN = 9
    """To the sound worker: a stream's number, and its format as JSON. This and what follows begins with SOUND_ID."""
    CLOSE = 10
    """To the sound worker: a stream has ended."""
    SOUND = 11
    """As MEDIA, of one of its streams."""
    HEARD = 12
    """From the sound worker, for each frame."""
    UNUSABLE = 13
    """From the sound worker: why a stream cannot be decoded, in words."""


class WorkerTalksNonsense(RemoteError):
    """A worker sent something that is no message: what it decoded must have broken it."""

    def __str__(self) -> str:
        return "a worker process sent something that is no message"


@dataclass(frozen=True, slots=True)
class Media:
    """One frame on its way to or from a worker.

    rtp_time: when it is to be shown (`display_time` of a camera's frame). arrival_s: when the camera's frame came, of
    which it is made. is_key: as in `wire.codec.frame.Frame`. is_unseen: needed by those after it, shown to nobody.
    """

    rtp_time: int
    arrival_s: float
    is_key: bool
    nals: Sequence[bytes]
    is_unseen: bool = False

    def pack(self) -> bytes:
        """Return it as a whole MEDIA message."""
        return pack(Kind.MEDIA, self.pack_body())

    def pack_body(self) -> bytes:
        """Return it as the body of a message."""
        flags = _KEY * self.is_key | _UNSEEN * self.is_unseen
        parts = [_MEDIA_HEAD.pack(self.rtp_time, self.arrival_s, flags)]
        for nal in self.nals:
            parts += (_SIZE.pack(len(nal)), nal)
        return b"".join(parts)

    @classmethod
    def unpack(cls, body: bytes) -> "Media":
        """Read a MEDIA message's body. Raises WorkerTalksNonsense."""
        nals = []
        try:
            rtp_time, arrival_s, flags = _MEDIA_HEAD.unpack_from(body)
            at = _MEDIA_HEAD.size
            while at < len(body):
                start = at + _SIZE.size
                at = start + _SIZE.unpack_from(body, at)[0]
                nals.append(body[start:at])
        except struct.error:
            raise WorkerTalksNonsense from None
        if at != len(body):
            raise WorkerTalksNonsense
        return cls(rtp_time, arrival_s, bool(flags & _KEY), nals, bool(flags & _UNSEEN))


@dataclass(slots=True)
class Counts:
    """What a transcoder did since it began."""

    frames: int = 0
    """Taken from camgate."""
    broken: int = 0
    """Of these, refused by the decoder."""
    decoded: int = 0
    encoded: int = 0
    skipped: int = 0
    """Decoded, and not encoded, because more waited already."""

    def pack(self) -> bytes:
        return _COUNTS.pack(self.frames, self.broken, self.decoded, self.encoded, self.skipped)

    @classmethod
    def unpack(cls, body: bytes) -> "Counts":
        """Read a TAKEN message's body. Raises WorkerTalksNonsense."""
        if len(body) != _COUNTS.size:
            raise WorkerTalksNonsense
        return cls(*_COUNTS.unpack(body))


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
