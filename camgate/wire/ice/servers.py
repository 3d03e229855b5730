"""STUN and TURN servers as viewers are told of them: URIs (RFC 7064, RFC 7065), credentials, Link headers (RFC 8288).

Must not know sockets or time: whoever makes credentials that end says when they end.
"""

import base64
import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

STUN_SCHEMES = ("stun", "stuns")
TURN_SCHEMES = ("turn", "turns")
DEFAULT_PORTS = {"stun": 3478, "stuns": 5349, "turn": 3478, "turns": 5349}
"""RFC 7064 section 3.2 and RFC 7065 section 3.2."""

_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:\?transport=(?P<transport>[a-z]+))?"
)
_PLAIN_USER = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
ANY_VIEWER = "viewer"


class BadIceUrl(ValueError):
    """A text is no STUN or TURN URI that browsers take; says why, then what would be right."""


@dataclass(frozen=True, slots=True)
class IceUrl:
    """A STUN or TURN URI in its parts. host: without brackets. transport: None where the URI leaves it open."""

    scheme: str
    host: str
    port: int
    transport: str | None = None


def parse_ice_url(text: str) -> IceUrl:
    """Read a URI as RFC 7064 section 3.1 and RFC 7065 section 3.1 write it. Raises BadIceUrl."""
    right = 'write "stun:HOST:PORT", or "turn:HOST:PORT" or "turns:HOST:PORT", which may end in ?transport=tcp'
    if "//" in text or "@" in text:
        raise BadIceUrl(f"is no STUN or TURN URL, which has neither // nor a login; {right}")
    match = _URL.fullmatch(text)
    scheme = match["scheme"].lower() if match else ""
    if match is None or scheme not in DEFAULT_PORTS:
        raise BadIceUrl(f"is no STUN or TURN URL; {right}")
    transport = match["transport"]
    if transport is not None and (scheme not in TURN_SCHEMES or transport not in ("udp", "tcp")):
        raise BadIceUrl(
            'ends in a transport that it cannot have; write "?transport=udp" or "?transport=tcp" behind turn'
        )
    host, port = match["host"], int(match["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise BadIceUrl(f"has a port that is none; {right}")
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise BadIceUrl(f"has an address in brackets that is none; {right}") from None
    return IceUrl(scheme, host, port, transport)


@dataclass(frozen=True, slots=True)
class IceServer:
    """A server that helps one viewer to a path, as RTCIceServer has it.

    lifetime_s: how long username and credential are good for, in seconds; None for ever.
    """

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)
    lifetime_s: float | None = None

    def members(self) -> dict[str, Any]:
        """The server as browsers want it (W3C webrtc, RTCIceServer), ready for JSON."""
        members: dict[str, Any] = {"urls": list(self.urls)}
        if self.username is not None:
            members |= {"username": self.username, "credential": self.credential}
        return members


def turn_credentials(secret: str, user: str, expires_at_s: int) -> tuple[str, str]:
    """Make a user name and password that a TURN server with the same secret takes until `expires_at_s` (Unix time).

    draft-uberti-behave-turn-rest-00 section 2.2: the user name is the end and an id, the password its HMAC-SHA1.
    An id that could not stand in every header and log is replaced by that of any viewer.
    """
    name = user if _PLAIN_USER.fullmatch(user) else ANY_VIEWER
    username = f"{expires_at_s}:{name}"
    return username, base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def link_values(server: IceServer) -> list[str]:
    """Write a server as values of Link headers, one a URL (RFC 9725 section 4.6).

    `max-age` is our own: for how many seconds the credential may be used from now on.
    """
    parameters = ['rel="ice-server"']
    if server.username is not None and server.credential is not None:
        parameters += [
            f"username={quoted(server.username)}",
            f"credential={quoted(server.credential)}",
            'credential-type="password"',
        ]
    if server.lifetime_s is not None:
        parameters.append(f"max-age={int(server.lifetime_s)}")
    return ["; ".join([f"<{url}>", *parameters]) for url in server.urls]


def quoted(text: str) -> str:
    """Write a text as a quoted-string (RFC 9110 section 5.6.4). It must be ASCII that can be printed."""
    assert text.isascii(), "checked where it comes from"
    assert text.isprintable(), "checked where it comes from"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
