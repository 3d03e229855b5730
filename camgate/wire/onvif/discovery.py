"""WS-Discovery (2005/04, as ONVIF Core section 7 has it): who on this network is a camera.

One Probe goes out by multicast, and every camera answers with ProbeMatches to where the Probe came from. Anybody can
answer: each datagram is read on its own, and what cannot be read is dropped.
"""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from camgate.wire.onvif.address import DEFAULT_PORT, DEVICE_PATH, ServiceAddress, service_at_untrusted
from camgate.wire.onvif.errors import MalformedReply
from camgate.wire.onvif.soap import SOAP
from camgate.wire.onvif.xml import Element, children, find, parse_xml_untrusted, text_of

PORT = 3702
IPV4_GROUP = "239.255.255.250"
IPV6_GROUP = "ff02::c"
"""Section 2.4 of WS-Discovery; link-local."""

MAX_MATCHES = 64
"""In one datagram. A bridge answers for several cameras, in practice one datagram each."""
MAX_SCOPES = 64
MAX_XADDRS = 16

_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_NETWORK = "http://www.onvif.org/ver10/network/wsdl"
_TO = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One device that answered.

    endpoint: its name for good, mostly `urn:uuid:…`, the same on all its addresses; may be empty.
    xaddrs: where its device service is, as it says itself. name, hardware, location: from its scopes, may be empty.
    """

    endpoint: str
    xaddrs: tuple[str, ...]
    name: str = ""
    hardware: str = ""
    location: str = ""


def service_place_untrusted(xaddrs: tuple[str, ...], sender: str) -> str:
    """Return how the device service is reached at the address that the answer came from, as `--onvif` takes it.

    Of several addresses that of the sender is preferred; the host of any other one may be 0.0.0.0 or beyond a NAT,
    while its port mostly holds.
    """
    best = ""
    for xaddr in xaddrs:
        try:
            parts = urlsplit(xaddr)
            host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        except ValueError:
            continue
        found = service_at_untrusted(xaddr, ServiceAddress(sender, port, DEVICE_PATH))
        if found is None or parts.scheme != "http":
            continue
        shown = found.short if found.path == DEVICE_PATH else f"http://{found.short}{found.path}"
        if host.lower() == sender.partition("%")[0].lower():
            return shown
        best = best or shown
    return best


def probe_message(message_id: str) -> bytes:
    """Return the Probe for cameras. message_id: `urn:uuid:…`, which answers name."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{_ADDRESSING}" xmlns:d="{_DISCOVERY}" xmlns:dn="{_NETWORK}">'
        f"<s:Header><a:Action>{_DISCOVERY}/Probe</a:Action><a:MessageID>{message_id}</a:MessageID>"
        "<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>"
        f"<a:To>{_TO}</a:To></s:Header>"
        "<s:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
    ).encode()


def parse_matches_untrusted(data: bytes, message_id: str) -> list[Match]:
    """Read an answer to the Probe of `message_id`; no matches where it answers another. Raises MalformedReply."""
    root = parse_xml_untrusted(data)
    matches = find(root, "Body", "ProbeMatches")
    if matches is None:
        raise MalformedReply("it is no answer to a Probe")
    # An answer without RelatesTo is against section 5.3, and still one that came to the port of our Probe.
    if text_of(root, "Header", "RelatesTo") not in ("", message_id):
        return []
    return [_read_match(match) for match in list(children(matches, "ProbeMatch"))[:MAX_MATCHES]]


def _read_match(match: Element) -> Match:
    scopes = text_of(match, "Scopes").split()[:MAX_SCOPES]
    return Match(
        endpoint=text_of(match, "EndpointReference", "Address"),
        xaddrs=tuple(dict.fromkeys(text_of(match, "XAddrs").split()))[:MAX_XADDRS],
        name=_scope(scopes, "name"),
        hardware=_scope(scopes, "hardware"),
        location=_scope(scopes, "location"),
    )


def _scope(scopes: list[str], category: str) -> str:
    """Return the values of a category (`onvif://www.onvif.org/name/Front%20door`), in words."""
    values = []
    for scope in scopes:
        try:
            parts = urlsplit(scope)
        except ValueError:
            continue
        _, first, rest = (parts.path + "//").split("/", 2)
        if parts.scheme == "onvif" and first == category and rest.strip("/"):
            values.append(unquote(rest.strip("/"), errors="replace"))
    # `location/country/china` and `location/city/hangzhou` are two.
    return ", ".join(dict.fromkeys(values))
