"""RTSP URLs as people paste them and as cameras answer them: split, joined, redacted.

People paste passwords with `@ : / # ? %` in them, unescaped. Cameras echo credentials back, name hosts that only they
can reach, and expect control URLs to be joined by plain concatenation. No text that leaves this module holds
credentials, except the two fields that are made for them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote_to_bytes

from camgate.wire.rtsp.errors import MalformedUrl

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
"""RFC 2326 §3.2 and, for rtsps, RFC 7826 §4.2."""

_REDACTED = "***"

# Written twice it counts once (go2rtc#830).
_SCHEME = re.compile(r"(?:\s*([A-Za-z][A-Za-z0-9+.-]*)://)+")
_PATH_START = re.compile(r"[/?#]")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Za-z:.%_~-]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{0,5}))?")
_HOST_PORT_ENDS = re.compile(_HOST_PORT.pattern + r"(?=[/?#]|\Z)")
_ADDRESS = re.compile(r"\[|[0-9A-Za-z_-]+\.[0-9A-Za-z]")
_VISIBLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_ENABLE_SRTP = re.compile(r"([?&])enableSrtp(?:=[^&#]*)?(&|(?=#|\Z))", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"((?<![A-Za-z])(?:user|username|usr|password|passwd|pass|pwd|psw|token|auth)=)"
    # XMeye: `/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp`: a value ends where the next parameter begins.
    r"\S*?(?=[_&?;/][A-Za-z][A-Za-z0-9]*=|\s|\Z)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspUrl:
    """A URL in parts; `str()` gives it as it goes on the wire, without credentials.

    host: name or address, IPv6 without its brackets.
    port: as written, or the default of the scheme.
    authority: host and port as written.
    path: path and query, as sent; may be empty.
    """

    scheme: str
    host: str
    port: int
    authority: str
    path: str
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def split_url_untrusted(text: str) -> RtspUrl:
    """Split an rtsp:// or rtsps:// URL; MalformedUrl says what is wrong with it, without repeating it."""
    scheme, rest = _split_scheme(text)
    if scheme not in DEFAULT_PORTS:
        raise MalformedUrl("it does not begin with rtsp://")
    end = _authority_end(rest)
    userinfo, _, authority = rest[:end].rpartition("@")
    host_port = _HOST_PORT.fullmatch(authority)
    if not host_port:
        raise MalformedUrl("it names no host, or a port that is no number, or an IPv6 address without [brackets]")
    port = int(host_port["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise MalformedUrl(f"port {port} does not exist")
    username, colon, password = userinfo.partition(":")
    return RtspUrl(
        scheme=scheme,
        host=host_port["host"].strip("[]"),
        port=port,
        authority=authority.removesuffix(":"),
        path=_clean_path(rest[end:]),
        username=_unescape(username) if userinfo else None,
        password=_unescape(password) if colon else None,
    )


def redact(text: str) -> str:
    """Return a URL, or other text with parameters such as `password=` in it, with every credential made `***`.

    Where a part might be a password it is taken for one.
    """
    scheme, rest = _split_scheme(text)
    if scheme:
        _, at, shown = rest.rpartition("@")
        text = f"{scheme}://{_REDACTED if at else ''}{at}{shown}"
    return _SECRET_PARAMETER.sub(rf"\1{_REDACTED}", text)


def without_srtp(url: RtspUrl) -> RtspUrl:
    """Return a URL without `enableSrtp` in its query, the same object where there is none.

    UniFi Protect shows its URLs with it; it then sends SRTP, whose keys come by MIKEY (go2rtc#81).
    """
    path = _ENABLE_SRTP.sub(lambda found: found[1] if found[2] else "", url.path)
    return url if path == url.path else replace(url, path=path)


def base_url_untrusted(candidates: Iterable[str | None], own: RtspUrl) -> str:
    """Return the base of a session description's control URLs: the first candidate that is a URL, else `own`.

    candidates: Content-Base, then Content-Location (RFC 2326 appendix C.1.1), None where the header is absent. Seen in
    them: no scheme, the scheme twice, only a path, IPv6 without brackets, credentials, a host behind NAT.
    """
    for candidate in candidates:
        text = (candidate or "").strip()
        if text.startswith("/"):
            return _at_own_host(text, own)
        if path := _absolute_path(text):
            return _at_own_host(path, own)
    return str(own)


def join_control_untrusted(base: str, control: str, own: RtspUrl) -> str:
    """Return the URL that `a=control:` names, relative to `base`, always with the host that we are connected to."""
    control = control.strip()
    # RFC 2326 appendix C.1.1: an asterisk stands for the base itself.
    if control in ("", "*"):
        return base
    path = _absolute_path(control)
    if path is not None:
        return _at_own_host(path, own)
    # Not RFC 3986 resolution: servers are made for clients that concatenate (live555, FFmpeg), even behind a query.
    # Dahua: `…?channel=1&subtype=1&unicast=true&proto=Onvif/` + `trackID=0`.
    slash = "" if base.endswith("/") or control[0] in "?/" else "/"
    return base + slash + _clean_path(control)


def is_absolute(text: str) -> bool:
    """Whether `text` is a URL with a scheme and a host, rather than a path to join to one."""
    return _absolute_path(text) is not None


def _split_scheme(text: str) -> tuple[str, str]:
    """Return the scheme in lower case, empty where there is none, and what follows `://`."""
    text = text.strip()
    found = _SCHEME.match(text)
    return (found[1].lower(), text[found.end() :]) if found else ("", text)


def _authority_end(rest: str) -> int:
    """Return where the authority ends in a URL without its scheme, when its password may hold `@ / ? #`.

    By RFC 3986 it ends at the first of `/ ? #`. If an `@` with a host behind it follows later, that may belong to the
    path (`cam.local/live@main`) or, unescaped, to a password (`admin:a/b@10.0.0.5`). It is a password where the part
    before is no host and port, or where only the later one looks like an address.
    """
    path_start = _PATH_START.search(rest)
    end = path_start.start() if path_start else len(rest)
    later = [found for at in _positions("@", rest, end) if (found := _HOST_PORT_ENDS.match(rest, at + 1))]
    if not later:
        return end
    nearer = rest[:end].rpartition("@")[2]
    if _HOST_PORT.fullmatch(nearer) and (_is_address(nearer) or not _is_address(later[-1][0])):
        return end
    return later[-1].end()


def _positions(character: str, text: str, start: int) -> list[int]:
    return [index for index in range(start, len(text)) if text[index] == character]


def _is_address(host_port: str) -> bool:
    return _ADDRESS.match(host_port) is not None


def _absolute_path(text: str) -> str | None:
    """Return the path and query of an absolute URL, None for any other text."""
    scheme, rest = _split_scheme(text)
    end = _authority_end(rest)
    return rest[end:] if scheme and end else None


def _at_own_host(path: str, own: RtspUrl) -> str:
    return f"{own.scheme}://{own.authority}{_clean_path(path)}"


def _clean_path(path: str) -> str:
    """Percent-encode what a request line cannot hold: spaces, control characters, anything beyond ASCII."""
    return quote(path, safe=_VISIBLE_ASCII, errors="replace")


def _unescape(text: str) -> str:
    """Decode percent escapes where they are valid; a stray `%` stays."""
    raw = unquote_to_bytes(text.encode(errors="replace"))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
