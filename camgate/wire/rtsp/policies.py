"""How a client deals with cameras that differ: policies, each an enum whose members name who needs them.

A vendor table elsewhere may choose policies; parsers never ask for the vendor.
"""

from dataclasses import dataclass
from enum import Enum, auto


class KeepaliveMethod(Enum):
    """Which request keeps the session alive."""

    AUTO = auto()
    """GET_PARAMETER where `Public` lists it, else OPTIONS; OPTIONS as soon as the other has been refused."""
    OPTIONS = auto()
    """Always OPTIONS: GW4089IP misbehaves on GET_PARAMETER although it lists it."""


class CredentialCharset(Enum):
    """Bytes of a user name and password that go beyond ASCII."""

    UTF_8 = "utf-8"
    """What browsers, VLC and FFmpeg send."""
    LATIN_1 = "latin-1"
    """Cameras whose web page stores passwords in ISO 8859-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPolicies:
    """The choices that a client makes for one camera."""

    keepalive: KeepaliveMethod = KeepaliveMethod.AUTO
    charset: CredentialCharset = CredentialCharset.UTF_8
    response_timeout_s: float = 10.0
    """How long to wait for the answer to OPTIONS, DESCRIBE, SETUP or PLAY. gortsplib waits 10 s, go2rtc 5 s."""
    user_agent: str = "camgate"
    """Never empty: at least one model answers 401 to a DESCRIBE without User-Agent (go2rtc#235)."""
