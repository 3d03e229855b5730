"""The device service: what time the camera thinks it is, and where its media services are."""

from dataclasses import dataclass
from datetime import UTC, datetime

from camgate.wire.onvif.soap import Request
from camgate.wire.onvif.xml import Element, children, find, number_of, text_of

_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"

MAX_SERVICES = 64

GET_TIME = Request(f"{_DEVICE}/GetSystemDateAndTime", f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>')
"""ONVIF Core: needs no login (PRE_AUTH), since a login needs the time."""

GET_SERVICES = Request(
    f"{_DEVICE}/GetServices",
    f'<GetServices xmlns="{_DEVICE}"><IncludeCapability>false</IncludeCapability></GetServices>',
)

GET_CAPABILITIES = Request(
    f"{_DEVICE}/GetCapabilities", f'<GetCapabilities xmlns="{_DEVICE}"><Category>All</Category></GetCapabilities>'
)
"""What devices have that are older than GetServices."""


@dataclass(frozen=True, slots=True)
class MediaServices:
    """The addresses of the media services as the camera names them, empty where there is none."""

    media: str = ""
    media2: str = ""

    def __bool__(self) -> bool:
        return bool(self.media or self.media2)


def read_time_untrusted(reply: Element) -> datetime | None:
    """Return the camera's time in UTC; None where it tells none."""
    utc = find(reply, "SystemDateAndTime", "UTCDateTime")
    names = [("Date", "Year"), ("Date", "Month"), ("Date", "Day"), ("Time", "Hour"), ("Time", "Minute")]
    values = [number_of(utc, *name) for name in [*names, ("Time", "Second")]]
    try:
        year, month, day, hour, minute, second = (int(value) for value in values if value is not None)
        # A leap second is the one before it, here.
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def read_services_untrusted(reply: Element) -> MediaServices:
    """Read the answer to GET_SERVICES."""
    found = dict.fromkeys((_MEDIA, _MEDIA2), "")
    for service in list(children(reply, "Service"))[:MAX_SERVICES]:
        namespace = text_of(service, "Namespace")
        if namespace in found:
            found[namespace] = text_of(service, "XAddr")
    return MediaServices(found[_MEDIA], found[_MEDIA2])


def read_capabilities_untrusted(reply: Element) -> MediaServices:
    """Read the answer to GET_CAPABILITIES."""
    return MediaServices(text_of(reply, "Capabilities", "Media", "XAddr"))
