"""The lines of a session description (RFC 8866) as values: read leniently, written strictly.

Knows which lines belong to which media section and nothing of what they mean: `media` does. Serves RTSP, whose
cameras leave lines out, repeat and misspell them, as well as WebRTC.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from camgate.base.errors import RemoteError

MAX_SDP_BYTES = 256 * 1024
"""Cameras send 0.3-5 kB, browsers up to 10 kB with many codecs and candidates."""

MAX_MEDIA = 256
"""Media sections; more than any camera or conference describes."""


class MalformedSdp(RemoteError):
    """Text that is no session description, or too large for one."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"malformed session description: {self.detail}"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An `a=name:value` line; `value` is None for a flag such as `a=sendonly`."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"


class Attributes(tuple[Attribute, ...]):
    """The attributes of the session or of one media section, in order, with look-up by name."""

    __slots__ = ()

    def has(self, name: str) -> bool:
        """Whether there is an attribute of that name, with or without a value."""
        return any(attribute.name == name for attribute in self)

    def value(self, name: str) -> str | None:
        """Return the value of the first attribute of that name that has one."""
        return next(self.values(name), None)

    def values(self, name: str) -> Iterator[str]:
        """Return the values of all attributes of that name, in order."""
        return (attribute.value for attribute in self if attribute.name == name and attribute.value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One `m=` section.

    kind: `video`, `audio`, `application`, or whatever else stands there.
    port: 0 where absent or no number; RTSP servers write 0, WebRTC means "rejected" by it.
    protocol: such as `RTP/AVP` or `UDP/TLS/RTP/SAVPF`.
    formats: payload types, as text, since cameras and data channels write other things too.
    lines: what is neither `m=` nor `a=`, as (letter, value), such as `("c", "IN IP4 0.0.0.0")`.
    """

    kind: str
    port: int = 0
    protocol: str = ""
    formats: tuple[str, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    attributes: Attributes = field(default_factory=Attributes)

    def __str__(self) -> str:
        start = " ".join([self.kind, str(self.port), self.protocol, *self.formats])
        return _write([("m", start), *self.lines], self.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    """A whole description; `str()` writes it, lines in the order given here and ended by CRLF.

    lines: what stands before the first media section and is no attribute, as (letter, value).
    """

    lines: tuple[tuple[str, str], ...] = ()
    attributes: Attributes = field(default_factory=Attributes)
    media: tuple[Media, ...] = ()

    def __str__(self) -> str:
        return _write(self.lines, self.attributes) + "".join(map(str, self.media))

    def line(self, letter: str) -> str | None:
        """Return the value of the first session-level line with that letter, such as `o`."""
        return next((value for key, value in self.lines if key == letter), None)


def parse_sdp_untrusted(data: bytes | str) -> SessionDescription:
    """Parse a session description; raises MalformedSdp where there is none to be found.

    Lenient, since cameras get every rule of RFC 8866 wrong: order and number of the session's lines do not matter,
    lines that are no `letter=value` are skipped, an `m=` line may lack fields or separate them by tabs.
    """
    if len(data) > MAX_SDP_BYTES:
        raise MalformedSdp(f"{len(data)} bytes, {MAX_SDP_BYTES} are accepted")
    text = data if isinstance(data, str) else data.decode(errors="replace")
    session, *sections = _split_sections(text)
    if not sections and not any(letter == "v" for letter, _ in session):
        raise MalformedSdp("it has neither a v= nor an m= line")
    if len(sections) > MAX_MEDIA:
        raise MalformedSdp(f"{len(sections)} media sections, {MAX_MEDIA} are accepted")
    lines, attributes = _split_attributes(session)
    return SessionDescription(lines=lines, attributes=attributes, media=tuple(map(_read_media, sections)))


def _split_sections(text: str) -> list[list[tuple[str, str]]]:
    """Return the session's lines, then a list for each media section that begins with its `m=` line."""
    sections: list[list[tuple[str, str]]] = [[]]
    # Not splitlines(), which also breaks at characters that may stand in a session's name.
    for line in text.replace("\r", "\n").split("\n"):
        letter, equals, value = line.partition("=")
        letter = letter.strip().lower()
        if equals and len(letter) == 1:
            if letter == "m":
                sections.append([])
            sections[-1].append((letter, value.strip()))
    return sections


def _split_attributes(lines: list[tuple[str, str]]) -> tuple[tuple[tuple[str, str], ...], Attributes]:
    others = tuple(line for line in lines if line[0] != "a")
    return others, Attributes(_read_attribute(value) for letter, value in lines if letter == "a")


def _read_attribute(text: str) -> Attribute:
    name, colon, value = text.partition(":")
    return Attribute(name.strip(), value.strip() if colon else None)


def _read_media(section: list[tuple[str, str]]) -> Media:
    # RFC 8866 §5.14: "m=<media> <port> <proto> <fmt> ...", where the port may be "<port>/<number of ports>".
    fields = section[0][1].split()
    kind, port, protocol = [*fields, "", "", ""][:3]
    lines, attributes = _split_attributes(section[1:])
    return Media(
        kind=kind,
        port=_read_port(port),
        protocol=protocol,
        formats=tuple(fields[3:]),
        lines=lines,
        attributes=attributes,
    )


def _read_port(text: str) -> int:
    number, _, _ = text.partition("/")
    return int(number) if number.isascii() and number.isdigit() and len(number) <= 5 else 0


def _write(lines: Iterable[tuple[str, str]], attributes: Attributes) -> str:
    written = [f"{letter}={value}" for letter, value in lines] + [f"a={attribute}" for attribute in attributes]
    return "".join(f"{line}\r\n" for line in written)
