"""The mark at the end of each frame: when its camera sent it, and which one it is.

It stands behind the last slice, where decoders do not look: servers leave SEI units out, but slices arrive whole.
"""

from typing import NamedTuple

_TEXT = b"CAMSIMTSCAMSIMTS"
"""What the project's other measuring tools look for, too, so that each can read the other's streams."""
_TIME_DIGITS = 16
_FRAME_DIGITS = 8
MARK_BYTES = len(_TEXT) + _TIME_DIGITS + _FRAME_DIGITS


class Mark(NamedTuple):
    """When a frame was sent, in microseconds of Unix time, and its number; None where the camera writes none."""

    unix_us: int
    frame: int | None


def build_mark(mark: Mark) -> bytes:
    """Return the bytes to append to a frame; letters and digits only, so that they cannot look like a start code."""
    digits = f"{mark.unix_us:0{_TIME_DIGITS}x}"
    if mark.frame is not None:
        digits += f"{mark.frame & 0xFFFFFFFF:0{_FRAME_DIGITS}x}"
    return _TEXT + digits.encode()


def find_mark(data: bytes) -> Mark | None:
    """Return the last mark in `data`; None where there is none, or only a part of one."""
    start = data.rfind(_TEXT)
    if start < 0:
        return None
    time_end = start + len(_TEXT) + _TIME_DIGITS
    unix_us = _number(data[time_end - _TIME_DIGITS : time_end], _TIME_DIGITS)
    frame = _number(data[time_end : time_end + _FRAME_DIGITS], _FRAME_DIGITS)
    return None if unix_us is None else Mark(unix_us, frame)


def without_mark(nal: bytes) -> bytes:
    """Return a NAL unit as its encoder made it."""
    return nal.partition(_TEXT)[0]


def _number(digits: bytes, count: int) -> int | None:
    if len(digits) < count or not digits.isalnum():
        return None
    try:
        return int(digits, 16)
    except ValueError:
        return None
