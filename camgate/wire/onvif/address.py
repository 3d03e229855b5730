"""Where a service is: `HOST[:PORT]` as people write it, and the addresses that cameras name, put right.

Cameras behind a NAT name addresses that only they can reach, and badly configured ones name 0.0.0.0. We talk to the
host that we dialled; a login must not go elsewhere because an answer says so.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from camgate.base.place import place
from camgate.wire.onvif.errors import OnvifError
from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.url import split_url_untrusted

DEFAULT_PORT = 80
DEVICE_PATH = "/onvif/device_service"
"""ONVIF Core section 5.1.2: the entry point of a device's services."""

_WRITTEN = re.compile(
    r"(?:(?P<scheme>http)://)?(?P<host>\[[0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?\]|[0-9A-Za-z._-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[!-~]*)?"
)


class MalformedAddress(OnvifError):
    """An address names no HTTP service."""

    def __str__(self) -> str:
        return (
            'is no address of an ONVIF service; write "HOST", "HOST:PORT" or "http://HOST:PORT/PATH", without a login'
        )


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """An HTTP service; `host` without brackets, `path` with its query."""

    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """`HOST:PORT`."""
        return place(self.host, self.port)

    @property
    def short(self) -> str:
        """`HOST[:PORT]`, as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORT else f"{host}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        # RFC 6874 section 4: the zone of an address means nothing to others.
        return re.sub(r"%[^\]]*", "", self.short)

    def __str__(self) -> str:
        return f"http://{self.place}{self.path}"


def split_address_untrusted(text: str) -> ServiceAddress:
    """Split `HOST[:PORT]` or `http://HOST[:PORT][/PATH]`. Raises MalformedAddress, which does not repeat it."""
    found = _WRITTEN.fullmatch(text.strip())
    port = int(found["port"] or DEFAULT_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise MalformedAddress
    path = found["path"] or ""
    return ServiceAddress(found["host"].strip("[]"), port, path if len(path) > 1 else DEVICE_PATH)


def service_at_untrusted(xaddr: str, dialled: ServiceAddress) -> ServiceAddress | None:
    """Return where a service is that a camera names by `xaddr`; None where that is no address.

    Its port is believed where it names the host that we dialled; behind a NAT it would be that of the inside.
    """
    try:
        parts = urlsplit(xaddr.strip())
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        return None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if parts.scheme not in ("http", "https") or not host or re.fullmatch(r"/[!-~]*", path) is None:
        return None
    is_own = host.lower() == dialled.host.lower() and parts.scheme == "http"
    return ServiceAddress(dialled.host, port if is_own else dialled.port, path)


def stream_url_untrusted(uri: str, dialled: ServiceAddress) -> str | None:
    """Return the rtsp:// URL that a camera names, at the host that we dialled and without a login; None for no URL."""
    try:
        url = split_url_untrusted(uri.strip())
    except MalformedUrl:
        return None
    if url.host.lower() == dialled.host.lower():
        return str(url)
    # The port of RTSP is the camera's own, or that of a forwarding which mostly keeps the number.
    authority = url.authority
    port = authority.rpartition("]")[2].rpartition(":")[2] if ":" in authority.rpartition("]")[2] else ""
    host = f"[{dialled.host}]" if ":" in dialled.host else dialled.host
    return f"{url.scheme}://{host}{':' + port if port else ''}{url.path}"
