"""The terminal's keyboard, without echo and without waiting for Enter; as it was again at the end, whatever happens."""

import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import trio

from camgate.tui.keys import KeyReader

ESCAPE_S = 0.05
"""What a key sends comes at once, or over a slow line a little apart; nobody presses ESC and another key so fast."""
READ_BYTES = 1024
_LOCAL, _CONTROL_CHARACTERS = 3, 6  # of what tcgetattr returns


@contextmanager
def keyboard(descriptor: int) -> Iterator[None]:
    """Have keys arrive one by one. Ctrl-C stays a signal; Ctrl-Z is none, which would leave the screen behind."""
    before = termios.tcgetattr(descriptor)
    ours = termios.tcgetattr(descriptor)
    ours[_LOCAL] &= ~(termios.ECHO | termios.ICANON)
    ours[_CONTROL_CHARACTERS][termios.VMIN], ours[_CONTROL_CHARACTERS][termios.VTIME] = 1, 0
    ours[_CONTROL_CHARACTERS][termios.VSUSP] = bytes([os.fpathconf(descriptor, "PC_VDISABLE")])
    termios.tcsetattr(descriptor, termios.TCSADRAIN, ours)
    try:
        yield
    finally:
        # A terminal that is gone needs nothing put back.
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


async def read_keys(descriptor: int, reader: KeyReader) -> list[str]:
    """Wait for keys; an empty list means that the terminal is gone."""
    found: list[str] = []
    while not found:
        wait_s = ESCAPE_S if reader.is_amid_sequence else float("inf")
        with trio.move_on_after(wait_s) as waiting:
            await trio.lowlevel.wait_readable(descriptor)
        if waiting.cancelled_caught:
            found += reader.receive_silence()
            continue
        try:
            data = os.read(descriptor, READ_BYTES)
        except OSError:
            data = b""
        if not data:
            return []
        found += reader.receive_data(data)
    return found
