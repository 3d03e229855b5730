"""What a reverse proxy says about whom it speaks for: believed from those that the settings name, from nobody else.

Pure but for the two small ASGI applications. Inside, a request's path is without the prefix that the proxy has taken
away, and `root_path` is that prefix; addresses that we send out begin with it.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from hypercorn.typing import ASGIFramework, ASGIReceiveCallable

MAX_HOPS = 20
"""Addresses in X-Forwarded-For that are looked at, from the nearest on."""
MAX_PREFIX_CHARS = 200

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_SCHEMES = {("http", True): "https", ("http", False): "http", ("websocket", True): "wss", ("websocket", False): "ws"}
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks:
    """Addresses and networks by name, such as `10.0.0.0/8`."""

    def __init__(self, named: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(each, strict=False) for each in named)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


class TrustedProxies:
    """An ASGI application around another: rewrites what trusted proxies forward as if it had come directly.

    From `X-Forwarded-For` the client's address, `-Proto` the scheme, `-Host` the Host, `-Prefix` the path below which
    the proxy has put us. trusted: whom to believe.
    """

    def __init__(self, app: ASGIFramework, trusted: "Networks") -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
        """Hand a request on."""
        client = scope.get("client")
        nearest = address_untrusted(client[0]) if client else None
        if nearest is not None and nearest in self._trusted:
            scope = scope | self._forwarded_untrusted(scope, nearest)
        await self._app(scope, receive, send)

    def _forwarded_untrusted(self, scope: Any, nearest: _Address) -> dict[str, Any]:
        """Return what is to be changed in the scope. What a proxy garbles is left as it is without that header."""
        values = _values(scope["headers"])
        changes: dict[str, Any] = {"client": (str(self._farthest(values.get(b"x-forwarded-for", []), nearest)), 0)}
        # The nearest proxy's word is the last; those before it may be the client's own.
        match values.get(b"x-forwarded-proto", [""])[-1].lower():
            case "https" | "wss":
                changes["scheme"] = _SCHEMES[scope["type"], True]
            case "http" | "ws":
                changes["scheme"] = _SCHEMES[scope["type"], False]
        if host := values.get(b"x-forwarded-host", [""])[-1]:
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
            changes["headers"] = [(b"host", host.encode("latin-1")), *others]
        if prefix := prefix_untrusted(values.get(b"x-forwarded-prefix", [""])[-1]):
            changes["root_path"] = prefix
        return changes

    def _farthest(self, hops: list[str], nearest: _Address) -> _Address:
        """Return the nearest address that is no proxy of ours; what is before it anybody may have written."""
        for hop in reversed(hops[-MAX_HOPS:]):
            if nearest not in self._trusted:
                break
            address = address_untrusted(hop)
            if address is None:
                break
            nearest = address
        return nearest


class BelowRoot:
    """An ASGI application around Quart, which wants the prefix in the path and takes it off itself."""

    def __init__(self, app: ASGIFramework) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
        """Hand a request on."""
        if root := scope.get("root_path"):
            scope = scope | {"path": root + scope["path"]}
        await self._app(scope, receive, send)


def address_untrusted(text: str) -> _Address | None:
    """Read an address, with a port maybe; None where it is none, as for `unknown`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def prefix_untrusted(text: str) -> str:
    """Read a path prefix such as `/cams`, whatever slash it ends in; empty where it is none."""
    prefix = text.strip().rstrip("/")
    if len(prefix) > MAX_PREFIX_CHARS or not _PREFIX.fullmatch(prefix):
        return ""
    return "" if {".", ".."} & set(prefix.split("/")) else prefix


def _values(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[str]]:
    """All values of the X-Forwarded headers, those of lists one by one (RFC 9110 section 5.3)."""
    found: dict[bytes, list[str]] = {}
    for name, value in headers:
        if (name := name.lower()).startswith(b"x-forwarded-"):
            found.setdefault(name, []).extend(each.strip() for each in value.decode("latin-1").split(","))
    return found
