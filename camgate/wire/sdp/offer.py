"""A browser's WebRTC offer as values: what it can receive, and how to reach and recognise it (JSEP, RFC 8829).

Reads only what an ICE-lite sender with one bundled transport needs. Whether a codec fits, and what is answered, is
`answer`'s part.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from camgate.base.errors import RemoteError

MAX_OFFER_BYTES = 65_536
"""A browser's offer has 2-10 kB; audio and video with every codec and extension stays below 20 kB."""
MAX_MEDIA_SECTIONS = 32
"""One page asks for one or two; more is a mistake or an attack."""

_ICE_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}\Z")  # RFC 8839 section 5.4
_ICE_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}\Z")
CREDENTIAL_RULE = "a=ice-ufrag needs 4-256 and a=ice-pwd 22-256 characters of A-Z a-z 0-9 + /"
_MID = re.compile(r"[!-~]{1,64}\Z")  # an RFC 4566 token, shortened
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}\Z")


class OfferMalformed(RemoteError):
    """The text is not an SDP offer that a WebRTC viewer could have made."""

    def __init__(self, reason: str, line_number: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line_number = line_number

    def __str__(self) -> str:
        place = f" (line {self.line_number})" if self.line_number else ""
        return f"malformed SDP offer{place}: {self.reason}"


class Direction(Enum):
    """The direction attributes of RFC 8866 section 6.7."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class OfferedCodec:
    """One payload type of a media section: `name` in capitals, `clock_rate_hz`, its fmtp and feedback lines.

    channels: of audio.
    """

    payload_type: int
    name: str
    clock_rate_hz: int
    parameters: dict[str, str] = field(default_factory=dict)
    feedback: tuple[str, ...] = ()
    channels: int = 1


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One media section. `extensions` maps a header extension's URI to the id that the offer gives it."""

    index: int
    kind: str
    protocol: str
    formats: tuple[str, ...]
    mid: str
    rejected: bool
    direction: Direction
    rtcp_mux: bool
    codecs: tuple[OfferedCodec, ...]
    extensions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole offer. Transport values are those of the bundle's first section (RFC 9143 section 7.2.1)."""

    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[tuple[str, str], ...]
    """Pairs of hash function (lower case) and value (capitals) of the viewer's DTLS certificate."""
    setup: str
    media: tuple[OfferedMedia, ...]
    bundled_mids: tuple[str, ...]


@dataclass(slots=True)
class _Section:
    """The session or one media section: the values of its attribute lines by name, in order."""

    media_line: str = ""
    line_number: int = 0
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def values(self, name: str) -> list[str]:
        return self.attributes.get(name, [])

    def first(self, name: str) -> str | None:
        values = self.attributes.get(name)
        return values[0] if values else None


def parse_offer_untrusted(text: str) -> Offer:
    """Read an offer.

    Raises OfferMalformed where it has no media section, lacks ICE credentials, DTLS fingerprint or setup role, or a
    line that is needed cannot be read. Attributes that camgate does not use are skipped unread.
    """
    if len(text) > MAX_OFFER_BYTES:
        raise OfferMalformed(f"{len(text)} characters, more than {MAX_OFFER_BYTES}")
    session, sections = _split_untrusted(text)
    media = tuple(_media_untrusted(index, section) for index, section in enumerate(sections))
    mids = [m.mid for m in media]
    if len(set(mids)) != len(mids):
        raise OfferMalformed("two media sections have the same mid")
    bundled = _bundled_mids(session, media)
    carrier = next(
        (s for s, m in zip(sections, media, strict=True) if m.mid in bundled and not m.rejected), sections[0]
    )
    return Offer(*_transport_untrusted(session, carrier), media, bundled)


def _split_untrusted(text: str) -> tuple[_Section, list[_Section]]:
    session, sections = _Section(), []
    current = session
    lines = text.split("\n")
    if not lines[0].startswith("v=0"):
        raise OfferMalformed("the first line must be v=0", 1)
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r")
        kind, equals, value = line.partition("=")
        if not line:
            continue
        # RFC 8866 section 5: a value has no NUL, CR or LF; the answer repeats some of them.
        if not equals or len(kind) != 1 or "\r" in value or "\0" in value:
            raise OfferMalformed("a line must be a letter, `=` and a value", number)
        if kind == "m":
            current = _Section(value, number)
            sections.append(current)
        elif kind == "a":
            name, _, attribute = value.partition(":")
            current.attributes.setdefault(name, []).append(attribute.strip())
    if not sections:
        raise OfferMalformed("no media section (m= line)")
    if len(sections) > MAX_MEDIA_SECTIONS:
        raise OfferMalformed(f"{len(sections)} media sections, more than {MAX_MEDIA_SECTIONS}")
    return session, sections


def _transport_untrusted(session: _Section, carrier: _Section) -> tuple[str, str, tuple[tuple[str, str], ...], str]:
    # RFC 8839 section 5.4, RFC 8842 section 5: at session or media level; the media level wins.
    def either(name: str) -> str | None:
        return carrier.first(name) or session.first(name)

    ufrag, pwd = either("ice-ufrag"), either("ice-pwd")
    if ufrag is None or pwd is None:
        raise OfferMalformed("a=ice-ufrag or a=ice-pwd is missing")
    if not are_credentials(ufrag, pwd):
        raise OfferMalformed(CREDENTIAL_RULE)
    setup = either("setup")
    if setup not in ("actpass", "active"):
        raise OfferMalformed("a=setup must be actpass or active: camgate is the DTLS server")
    return ufrag, pwd, _fingerprints_untrusted(carrier.values("fingerprint") or session.values("fingerprint")), setup


def are_credentials(ufrag: str, pwd: str | None) -> bool:
    """Say whether ICE credentials are as RFC 8839 section 5.4 wants them; a password may be missing."""
    return bool(_ICE_UFRAG.match(ufrag)) and (pwd is None or bool(_ICE_PWD.match(pwd)))


def _fingerprints_untrusted(values: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for value in values:
        algorithm, _, digest = value.partition(" ")
        if not _FINGERPRINT.match(digest.strip()):
            raise OfferMalformed("a=fingerprint must be a hash function and pairs of hex digits")
        pairs.append((algorithm.lower(), digest.strip().upper()))
    if not any(algorithm in ("sha-256", "sha-384", "sha-512") for algorithm, _ in pairs):
        raise OfferMalformed("a=fingerprint with sha-256, sha-384 or sha-512 is missing")
    return tuple(pairs)


def _bundled_mids(session: _Section, media: tuple[OfferedMedia, ...]) -> tuple[str, ...]:
    for group in session.values("group"):
        semantics, *mids = group.split()
        if semantics.upper() == "BUNDLE":
            return tuple(mid for mid in mids if any(m.mid == mid for m in media))
    return tuple(m.mid for m in media[:1])


def _media_untrusted(index: int, section: _Section) -> OfferedMedia:
    fields = section.media_line.split()
    if len(fields) < 4:
        raise OfferMalformed("m= needs media, port, protocol and formats", section.line_number)
    kind, port, protocol, *formats = fields
    if not port.isascii() or not port.isdigit() or len(port) > 5:
        raise OfferMalformed("the port of m= is not a number", section.line_number)
    mid = section.first("mid")
    if mid is None:
        mid = str(index)
    if not _MID.match(mid):
        raise OfferMalformed("a=mid is empty, too long or has a character that is not allowed", section.line_number)
    direction = next((d for d in Direction if d.value in section.attributes), None)
    return OfferedMedia(
        index=index,
        kind=kind.lower(),
        protocol=protocol,
        formats=tuple(formats),
        mid=mid,
        # RFC 9143 section 7.2: port 0 with bundle-only is an offered section, without it a rejected one.
        rejected=int(port) == 0 and section.first("bundle-only") is None,
        direction=direction or Direction.SENDRECV,
        rtcp_mux=section.first("rtcp-mux") is not None,
        codecs=tuple(_codecs_untrusted(section, formats)),
        extensions=dict(_extensions(section)),
    )


def _codecs_untrusted(section: _Section, formats: list[str]) -> Iterator[OfferedCodec]:
    parameters = dict(_keyed(section.values("fmtp")))
    feedback: dict[str, list[str]] = {}
    for payload_type, value in _keyed(section.values("rtcp-fb")):
        feedback.setdefault(payload_type, []).append(value)
    everywhere = feedback.get("*", [])
    unread = {payload_type for payload_type in formats if _is_payload_type(payload_type)}
    for payload_type, value in _keyed(section.values("rtpmap")):
        name, _, rest = value.partition("/")
        clock_rate, _, channels = rest.partition("/")
        if payload_type not in unread:
            continue
        # Each once: to read the same long a=fmtp for every repetition would cost quadratic time.
        unread.remove(payload_type)
        if not name or not clock_rate.isascii() or not clock_rate.isdigit() or len(clock_rate) > 9:
            raise OfferMalformed(f"a=rtpmap:{payload_type} needs NAME/CLOCK", section.line_number)
        yield OfferedCodec(
            int(payload_type),
            name.upper(),
            int(clock_rate),
            parse_format_parameters(parameters.get(payload_type, "")),
            tuple(feedback.get(payload_type, []) + everywhere),
            2 if channels == "2" else 1,
        )


def _is_payload_type(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 127


def _keyed(values: list[str]) -> Iterator[tuple[str, str]]:
    for value in values:
        key, _, rest = value.partition(" ")
        yield key, rest.strip()


def parse_format_parameters(text: str) -> dict[str, str]:
    """Read `a=1;b=2` of an fmtp line; keys in lower case, a key without value maps to an empty string."""
    if not text:
        return {}
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _extensions(section: _Section) -> Iterator[tuple[str, int]]:
    # RFC 8285 section 8: `ID[/direction] URI`; ids 1-14 fit the one-byte form that camgate sends.
    for key, rest in _keyed(section.values("extmap")):
        number = key.partition("/")[0]
        if number.isascii() and number.isdigit() and len(number) <= 2 and 1 <= int(number) <= 14 and rest:
            yield rest.split()[0], int(number)
