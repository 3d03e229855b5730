"""Who may ask: which Host names we answer to, and which other sites' pages may use us.

Pure decisions on header values; `gate` and `application` act on them.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 section 9.2.1: methods that change nothing."""

_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::(?P<port>[0-9]{0,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Authority:
    """A host and maybe a port, as Host headers and origins name them."""

    host: str
    """Lower case, no brackets, no final dot."""
    port: int | None


def parse_authority_untrusted(text: str) -> Authority | None:
    """Read a Host header's value; None when it is not one (RFC 9110 section 7.2)."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    host = match["host"].lower()
    if host.startswith("["):
        host = host[1:-1]
        if _address(host) is None:
            return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and port > 0xFFFF:
        return None
    return Authority(host.rstrip("."), port)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    # RFC 6761 section 6.3: localhost and the names below it are loopback everywhere.
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address is not None and address.is_loopback


class AccessRules:
    """The rules of one server: its allowed hosts and origins.

    loopback_only: all listeners are on loopback, so that only this machine's own names for itself are right. Any
    other name comes from a page of another site whose name was pointed at 127.0.0.1 (DNS rebinding).
    hsts_s: how long browsers shall use HTTPS only; 0 for not to say so.
    """

    def __init__(
        self, *, cors_origins: Iterable[str], allowed_hosts: Iterable[str], loopback_only: bool, hsts_s: int = 0
    ) -> None:
        self.hsts_s = hsts_s
        self._origins = frozenset(origin.rstrip("/").lower() for origin in cors_origins)
        self._hosts = frozenset(host.strip("[]").rstrip(".").lower() for host in allowed_hosts)
        self._loopback_only = loopback_only

    @property
    def any_cross_origin(self) -> bool:
        """Whether pages of any other site may use this server."""
        return bool(self._origins)

    def serves_host(self, host: str) -> bool:
        """Whether requests to this host name are meant for us."""
        if host in self._hosts or is_loopback(host):
            return True
        return not self._loopback_only and not self._hosts

    def shares_with(self, origin: str) -> bool:
        """Whether the settings let pages of this origin use this server and read its answers."""
        return "*" in self._origins or origin.lower() in self._origins

    def trusts(self, origin: str, host: str | None, *, is_https: bool = False) -> bool:
        """Whether a page of this origin may do more than any page could: ours, and those that the settings let in."""
        return self.shares_with(origin) or (host is not None and is_same_origin(origin, host, is_https=is_https))

    def lets_in_unnamed(self, origin: str, host: str | None, *, is_https: bool = False) -> bool:
        """Whether a page of this origin may use this server by `*` only: it is neither ours nor named."""
        if "*" not in self._origins or origin.lower() in self._origins:
            return False
        return host is None or not is_same_origin(origin, host, is_https=is_https)

    def trusts_with_cookie(
        self, origin: str | None, fetch_site: str | None, host: str | None, *, is_https: bool = False
    ) -> bool:
        """Whether a request that a session's cookie came with was sent by a page of ours, or of a named origin.

        Browsers send the cookie whoever made them send the request, so here it is not enough to be nobody (no Origin,
        as programs have none) or anybody (`*`). fetch_site: the header Sec-Fetch-Site.
        """
        if origin is None:
            return fetch_site == "same-origin"
        if origin.lower() in self._origins:
            return True
        return host is not None and is_same_origin(origin, host, is_https=is_https)


def is_same_origin(origin: str, host: str, *, is_https: bool = False) -> bool:
    """Whether an Origin header names the site that the Host header names.

    Over HTTPS only a page that came over HTTPS is ours: anybody on the way can write one that did not. Over HTTP the
    scheme is left out, since a proxy in front of us may speak TLS without saying so.
    """
    ours = parse_authority_untrusted(host)
    split = _split(origin)
    if ours is None or split is None or split.scheme not in _DEFAULT_PORTS:
        return False
    if is_https and split.scheme != "https":
        return False
    theirs = parse_authority_untrusted(split.netloc)
    default = _DEFAULT_PORTS[split.scheme]
    return theirs is not None and (theirs.host, theirs.port or default) == (ours.host, ours.port or default)


def _split(origin: str) -> SplitResult | None:
    try:
        return urlsplit(origin)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
