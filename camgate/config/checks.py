"""What a value may be: each check takes a value as TOML gives it and returns it as the model holds it, or raises Wrong.

The text of a Wrong says what is wrong, then what would be right. It repeats values only where they cannot be secret.
"""

import datetime
import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import SplitResult, urlsplit

from camgate.base.names import composed, is_of_names
from camgate.config.address import is_loopback, split_listen
from camgate.config.errors import KeyPath
from camgate.config.model import Transport
from camgate.config.password_hash import UnusableHash, check_password_hash
from camgate.wire.ice.servers import TURN_SCHEMES, BadIceUrl, parse_ice_url
from camgate.wire.onvif.address import MalformedAddress, split_address_untrusted

T = TypeVar("T")
Check: TypeAlias = Callable[[object], T]

MAX_NAME_CHARS = 64
"""Camera names stand in URLs, file names and log lines."""

NAME_SIGNS = "-_. "
"""What may stand in the name of a camera beside letters and digits."""

MAX_PATTERN_CHARS = 128
PATTERN_SIGNS = NAME_SIGNS + "*?[]!"

_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    list: "a list",
    dict: "a table",
    datetime.datetime: "a date",
    datetime.date: "a date",
    datetime.time: "a time",
}

_HA1_ALGORITHMS = {32: "MD5", 64: "SHA-256"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)
# RFC 3986 leaves `1.2.3` a name; browsers and resolvers take it for an address with its last bytes missing.
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
# CSP level 3 section 2.3.1: a host-source may begin with `*.`; nothing here can end the directive and begin another.
_ANCESTOR = re.compile(r"'self'|'none'|\*|https?:|(?:https?://)?(?:\*\.)?[A-Za-z0-9._-]+(?::(?:[0-9]{1,5}|\*))?")
_FINGERPRINT = re.compile(r"(?i:sha-?256)[:=]((?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2})")


class Wrong(ValueError):
    """A value is not what it has to be. `at` leads to the element of a list that is meant."""

    def __init__(self, sentence: str, at: KeyPath = ()) -> None:
        super().__init__(sentence)
        self.at = at


def kind_of(value: object) -> str:
    """Return what a value is, in words for people who write TOML."""
    return _KINDS.get(type(value), type(value).__name__)


def text(value: object) -> str:
    """Take any text but an empty one."""
    if not isinstance(value, str):
        raise Wrong(f"is {kind_of(value)}; write text in quotes")
    if not value.strip():
        raise Wrong("is empty; write text, or leave the key out")
    if not value.isprintable():
        raise Wrong("holds a line break or another character that cannot be printed; leave it out")
    return value


def text_or_none(value: object) -> str:
    """Take any text, and the empty one for none."""
    return "" if value == "" else text(value)


def whole_number(low: int, high: int) -> Check[int]:
    """Take whole numbers from `low` to `high`."""

    def check(value: object) -> int:
        if type(value) is not int:
            raise Wrong(f"is {kind_of(value)}; write a whole number from {low} to {high}, without quotes")
        if not low <= value <= high:
            raise Wrong(f"is {value}; write a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float, what: str = "a number") -> Check[float]:
    """Take numbers from `low` to `high`, whole or not; errors call them `what`."""

    def check(value: object) -> float:
        if type(value) not in (int, float):
            raise Wrong(f"is {kind_of(value)}; write {what} from {low:g} to {high:g}, without quotes")
        assert isinstance(value, int | float)
        if not low <= value <= high:
            shown = value if isinstance(value, int) else f"{value:g}"  # a large one is no float
            raise Wrong(f"is {shown}; write {what} from {low:g} to {high:g}")
        return float(value)

    return check


def seconds(low: float, high: float) -> Check[float]:
    """Take seconds from `low` to `high`, whole or not."""
    return number(low, high, "seconds")


def yes_or_no(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise Wrong(f"is {kind_of(value)}; write true or false, without quotes")
    return value


def one_of(*words: str) -> Check[str]:
    """Take one of the words."""
    choice = " or ".join(f'"{word}"' for word in words)

    def check(value: object) -> str:
        if value not in words:
            what = "an unknown word" if isinstance(value, str) else kind_of(value)
            raise Wrong(f"is {what}; write {choice}")
        assert isinstance(value, str)
        return value

    return check


def list_of(element: Check[T], *, example: str, least: int = 0) -> Check[tuple[T, ...]]:
    """Take a list whose elements all pass `element`."""

    def check(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Wrong(f"is {kind_of(value)}; write a list, such as {example}")
        if len(value) < least:
            raise Wrong(f"is an empty list; write a list such as {example}, or leave the key out")
        return tuple(_element(element, index, item) for index, item in enumerate(value))

    return check


def one_or_several(element: Check[T]) -> Check[tuple[T, ...]]:
    """Take a value that passes `element`, or a list of such."""

    def check(value: object) -> tuple[T, ...]:
        if not isinstance(value, list) or not value:
            return (element(value),)
        return tuple(_element(element, index, item) for index, item in enumerate(value))

    return check


def _element(check: Check[T], index: int | str, value: object) -> T:
    try:
        return check(value)
    except Wrong as wrong:
        raise Wrong(str(wrong), (index, *wrong.at)) from None


def listen_address(value: object) -> str:
    """Take `ADDRESS:PORT`."""
    right = 'write "ADDRESS:PORT", such as "127.0.0.1:8107", "0.0.0.0:8107" or "[::1]:8107"'
    listen = _as(text, value, right)
    try:
        split_listen(listen)
    except ValueError:
        raise Wrong(f"is no address and port to listen on; {right}") from None
    return listen


def listen_address_or_none(value: object) -> str:
    """Take `ADDRESS:PORT`, or the empty text for not to listen."""
    return "" if value == "" else listen_address(value)


def host_name(value: object) -> str:
    """Take a host name or an address, without scheme and port."""
    right = 'write a name or an address alone, such as "cameras.example.org" or "192.0.2.10"'
    host = _as(text, value, right)
    is_name = _HOST.fullmatch(host) and not _ENDS_IN_NUMBER.fullmatch(host)
    if not is_name and not _is_address(host.strip("[]")):
        raise Wrong(f"is no host name or address; {right}")
    return host


def network(value: object) -> str:
    """Take an address or a network."""
    right = 'write an address or a network, such as "127.0.0.1", "10.0.0.0/8" or "fd00::/8"'
    given = _as(text, value, right)
    try:
        ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise Wrong(f"is no address and no network; {right}") from None
    return given


def origin(value: object) -> str:
    """Take an origin as browsers send it, or `*`."""
    right = 'write "https://example.org", with a port if it is not the usual one and without a path, or "*" for all'
    given = _as(text, value, right)
    if given != "*" and not _ORIGIN.fullmatch(given):
        raise Wrong(f"is no origin; {right}")
    return given


def stun_url(value: object) -> str:
    """Take the URL of a STUN server that answers over UDP."""
    right = 'write "stun:HOST" or "stun:HOST:PORT"'
    given = _as(text, value, right)
    try:
        url = parse_ice_url(given)
    except BadIceUrl as error:
        raise Wrong(f"{str(error).partition(';')[0]}; {right}") from None
    if url.scheme != "stun":
        raise Wrong(f"is no STUN server; {right}, and TURN servers as [webrtc.turn.NAME]")
    return given


def turn_url(value: object) -> str:
    """Take the URL of a TURN server."""
    right = 'write "turn:HOST:PORT", or "turns:HOST:PORT" for TLS, which may end in "?transport=tcp"'
    given = _as(text, value, right)
    try:
        url = parse_ice_url(given)
    except BadIceUrl as error:
        raise Wrong(f"{str(error).partition(';')[0]}; {right}") from None
    if url.scheme not in TURN_SCHEMES:
        raise Wrong(f"is no TURN server; {right}")
    return given


def turn_user(value: object) -> str:
    """Take a user name for a TURN server."""
    given = text(value)
    if not given.isascii():
        raise Wrong("holds characters beyond ASCII, which a Link header cannot carry; choose another")
    return given


def frame_ancestor(value: object) -> str:
    """Take a source of the CSP directive frame-ancestors."""
    right = """write "'self'", "'none'", "*", or "https://example.org" """.strip()
    given = _as(text, value, right)
    # Without quotes of their own these would be hosts of that name.
    if given in ("self", "none"):
        raise Wrong(f"means a host of that name; {right}, with both kinds of quotes")
    if not _ANCESTOR.fullmatch(given):
        raise Wrong(f"is nobody who could embed a page; {right}")
    return given


def directory(value: object) -> Path:
    """Take a path; whether it can be written is not asked here."""
    return Path(_as(text, value, 'write a path in quotes, such as "/var/log/camgate"'))


def transport(value: object) -> Transport:
    """Take a word for a transport."""
    return Transport(one_of(*(each.value for each in Transport))(value))


def onvif_service(value: object) -> str:
    """Take `HOST[:PORT]` or the URL of an ONVIF service."""
    given = _as(text, value, 'write "HOST" or "HOST:PORT" in quotes')
    try:
        split_address_untrusted(given)
    except MalformedAddress as error:
        raise Wrong(str(error)) from None
    return given


def fingerprint(value: object) -> str:
    """Take the SHA-256 fingerprint of a certificate, digits in any case and with colons between or not."""
    right = 'write "sha256:" and 64 hexadecimal digits, as `camgate probe` shows them'
    match = _FINGERPRINT.fullmatch(_as(text, value, right))
    if match is None:
        raise Wrong(f"is no fingerprint; {right}")
    return f"sha256:{match[1].replace(':', '').lower()}"


def ha1(value: object) -> tuple[str, str]:
    """Take H(A1) of Digest and return its algorithm, which its length tells, and itself. Never repeats it."""
    right = "write the 64 hexadecimal digits of SHA-256, or the 32 of MD5, of USER:camgate:PASSWORD"
    digits = _as(text, value, right)
    if not re.fullmatch(r"[0-9A-Fa-f]+", digits) or len(digits) not in _HA1_ALGORITHMS:
        raise Wrong(f"is no HA1; {right}")
    return _HA1_ALGORITHMS[len(digits)], digits.lower()


def user_name(name: str) -> str:
    """Take a name to log in by."""
    # RFC 7616 section 3.4.2 puts a colon between the name and what follows it.
    if not name.strip() or not name.isprintable() or ":" in name or len(name) > MAX_NAME_CHARS:
        right = f"write up to {MAX_NAME_CHARS} characters that can be printed, and no colon"
        raise Wrong(f"is no name for a user; {right}")
    return name


def password_hash(value: object) -> str:
    """Take a hash of argon2id in PHC format. Never repeats it."""
    given = _as(text, value, "write the line that `camgate user hash` prints")
    try:
        return check_password_hash(given)
    except UnusableHash as error:
        raise Wrong(str(error)) from None


def pattern(value: object) -> str:
    """Take a pattern of camera names, or of groups behind `group:`."""
    right = 'write a name with * and ? for what may differ, or "group:NAME"'
    given = composed(_as(text, value, right))
    if not is_of_names(given.removeprefix("group:"), PATTERN_SIGNS) or len(given) > MAX_PATTERN_CHARS:
        raise Wrong(f"is no pattern of cameras; {right}")
    return given


def plain_name(value: object) -> str:
    """Take a name of letters, digits, `-`, `_` and `.`."""
    right = "write letters, digits, `-`, `_` and `.`, a letter or digit first"
    given = _as(text, value, right)
    if not _NAME.fullmatch(given) or len(given) > MAX_NAME_CHARS:
        raise Wrong(f"is no such name; {right}")
    return given


def _web_address(value: object, right: str) -> SplitResult:
    given = _as(text, value, right)
    try:
        split = urlsplit(given)
        _ = split.port
        (split.hostname or "").encode("idna")  # a part of a name may be neither empty nor longer than 63
    except ValueError:
        raise Wrong(f"is no address of a web server; {right}") from None
    if split.scheme not in ("http", "https") or not split.hostname or split.fragment or " " in given:
        raise Wrong(f"is no address of a web server; {right}")
    return split


def web_address(value: object) -> str:
    """Take a URL of http or https. Never repeats it, as there may be a password in it."""
    return _web_address(value, 'write "https://HOST/PATH"').geturl()


def safe_web_address(value: object) -> str:
    """Take a URL of https, or of http on this machine."""
    right = 'write "https://HOST/PATH", or http:// for a server on this machine itself'
    split = _web_address(value, right)
    host = split.hostname or ""
    if split.scheme == "http" and not ((host == "localhost" or _is_address(host)) and is_loopback(host)):
        raise Wrong(f"is an address without TLS, where anybody in between could put keys of their own; {right}")
    return split.geturl()


def role_words(value: object) -> dict[str, str]:
    """Take a table from somebody else's words to our roles."""
    table = section(value, 'roles = { "their word" = "viewer" }')
    return {word: _element(plain_name, word, role) for word, role in table.items()}


def camera_name(name: str) -> str:
    """Take a name that can stand in a URL, percent-encoded, and that people can read; returns it composed."""
    right = 'write [cameras.NAME] with letters, digits, `-`, `_` and `.`, or with spaces in between as [cameras."A B"]'
    if not name:
        raise Wrong(f"a camera has an empty name; {right}")
    name = composed(name)
    is_tidy = name[0].isalnum() and name[-1] != " " and "  " not in name
    if not is_tidy or not is_of_names(name, NAME_SIGNS):
        raise Wrong(
            "is no name for a camera, since it becomes part of URLs; it begins with a letter or digit: "
            f"{right}, and call it what you like by title"
        )
    if len(name) > MAX_NAME_CHARS:
        raise Wrong(
            f"is longer than {MAX_NAME_CHARS} characters; choose a shorter name, and call it what you like by title"
        )
    return name


def section(value: object, example: str) -> dict[str, Any]:
    """Take a table."""
    if not isinstance(value, dict):
        raise Wrong(f"is {kind_of(value)}; write a table: {example}")
    return value


def sub_table(value: object) -> dict[str, Any]:
    """Take the table of a sub-stream."""
    return section(value, '[cameras.NAME.sub] with url = "rtsp://…" below it')


def tables(example: str) -> Check[dict[str, Any]]:
    """Take a table of tables; what is in them is read elsewhere."""
    return lambda value: section(value, example)


def _as(check: Check[T], value: object, right: str) -> T:
    """Apply a check of a wider kind, with the words of what would be right here."""
    try:
        return check(value)
    except Wrong as wrong:
        raise Wrong(f"{str(wrong).partition(';')[0]}; {right}") from None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
