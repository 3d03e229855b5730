"""What a camera's ONVIF service can answer wrongly, or refuse: sentences for its owner."""

from camgate.base.errors import RemoteError
from camgate.wire.rtsp.errors import printable

_LOGIN_CODES = frozenset({"NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"})
"""ONVIF Core 5.11.2.2 has ter:NotAuthorized; the others are from WS-Security 1.0 section 12, and cameras use both."""


class OnvifError(RemoteError):
    """Root of what goes wrong between camgate and an ONVIF service."""


class MalformedReply(OnvifError):
    """An answer is not what ONVIF answers. `detail`: a clause such as `it is no XML`."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"an ONVIF answer of the camera cannot be read: {self.detail}"


class OnvifFault(OnvifError):
    """The service answered with a SOAP fault.

    codes: the code and its subcodes, without prefixes, from the general to the special.
    """

    def __init__(self, codes: tuple[str, ...], reason: str) -> None:
        super().__init__(codes, reason)
        self.codes = codes
        self.reason = reason

    @property
    def is_about_login(self) -> bool:
        """Whether the login is missing or wrong."""
        return not _LOGIN_CODES.isdisjoint(self.codes)

    def __str__(self) -> str:
        words = printable(self.reason) or "without a reason"
        return f"the camera's ONVIF service refuses: {words} ({printable(' '.join(self.codes)) or 'no code'})"
