"""The key-frame cache: what a new viewer needs to see a picture at once."""

from camgate.wire.codec.frame import Frame

MAX_CACHE_BYTES = 4 << 20
"""4 MiB: a 4 s group of pictures at 8 Mbit/s; more would take a viewer's link longer to carry than to wait."""

MAX_CACHE_S = 10.0
"""Smart codecs stretch the key-frame interval to 10 s and more; replaying more than that is no quick start."""


class KeyFrameCache:
    """The frames since the last key frame, that one included, bounded in bytes and in seconds of arrival time.

    On overflow it empties and stays empty until the next key frame: half a group of pictures cannot be decoded.
    """

    def __init__(self, *, max_bytes: int = MAX_CACHE_BYTES, max_age_s: float = MAX_CACHE_S) -> None:
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._frames: list[Frame] = []
        self.size_bytes = 0
        self.overflows = 0
        self.is_outgrown = False
        """Whether the present group of pictures, or else the last whole one, was too much to keep."""

    def append(self, frame: Frame) -> None:
        frames = self._frames
        if frame.is_key:
            if frames:
                self.is_outgrown = False
            frames.clear()
            self.size_bytes = 0
        elif not frames:
            return
        self.size_bytes += frame.size_bytes
        frames.append(frame)
        if self.size_bytes > self._max_bytes or frame.arrival_s - frames[0].arrival_s > self._max_age_s:
            self.overflows += 1
            self.is_outgrown = True
            self.clear()

    def clear(self) -> None:
        self._frames.clear()
        self.size_bytes = 0

    def frames(self) -> tuple[Frame, ...]:
        """Return the cached frames in decoding order, the key frame first; empty when there is none to start from."""
        return tuple(self._frames)

    def __len__(self) -> int:
        return len(self._frames)
