"""Bytes of a terminal to keys. Sans-IO: what time it is, and what a key does, is for others to know."""

import codecs
from collections.abc import Iterator

UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = "up", "down", "page-up", "page-down", "home", "end"
ENTER, ESCAPE, BACKSPACE, CLEAR, TAB = "enter", "escape", "backspace", "clear", "tab"

LONGEST_SEQUENCE = 16
"""Characters after which a sequence that does not end is none."""

_SEQUENCES = {
    **{
        f"{start}{letter}": key
        for start in ("[", "O")
        for letter, key in zip("ABHF", (UP, DOWN, HOME, END), strict=True)
    },
    "[1~": HOME,
    "[7~": HOME,
    "[4~": END,
    "[8~": END,
    "[5~": PAGE_UP,
    "[6~": PAGE_DOWN,
}
"""What follows ESC (ECMA-48, and what xterm, the Linux console and rxvt make of it)."""
_CONTROLS = {"\t": TAB, "\r": ENTER, "\n": ENTER, "\x7f": BACKSPACE, "\x08": BACKSPACE, "\x15": CLEAR}


class KeyReader:
    """Makes keys of what is typed: a name of above, or the character itself."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        self._sequence: str | None = None

    @property
    def is_amid_sequence(self) -> bool:
        """Whether ESC came and nothing that ends it: a key of its own, if nothing follows soon."""
        return self._sequence is not None

    def receive_data(self, data: bytes) -> Iterator[str]:
        """Yield the keys that are whole."""
        for character in self._decoder.decode(data):
            if self._sequence is not None:
                yield from self._go_on(character)
            elif character == "\x1b":
                self._sequence = ""
            elif key := _CONTROLS.get(character) or (character if character.isprintable() else ""):
                yield key

    def receive_silence(self) -> Iterator[str]:
        """Yield what was meant by an ESC that nothing has followed."""
        if self._sequence is not None:
            is_alone, self._sequence = not self._sequence, None
            if is_alone:
                yield ESCAPE

    def _go_on(self, character: str) -> Iterator[str]:
        assert self._sequence is not None
        if character == "\x1b":
            yield from self.receive_silence()
            self._sequence = ""
            return
        self._sequence += character
        if self._sequence in ("[", "O"):
            return
        # ECMA-48 section 5.4: parameters and intermediates are 0x20 to 0x3f, and what ends a sequence is beyond.
        has_ended = self._sequence[0] != "[" or "\x40" <= character <= "\x7e"
        if has_ended or len(self._sequence) > LONGEST_SEQUENCE:
            key, self._sequence = _SEQUENCES.get(self._sequence), None
            if key is not None:
                yield key
