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
        # Some firmwares give the words of ter:NotAuthorized without its code.
        return not _LOGIN_CODES.isdisjoint(self.codes) or "not authorized" in self.reason.lower()

    def __str__(self) -> str:
        words = printable(self.reason) or "without a reason"
        return f"the camera's ONVIF service refuses: {words} ({printable(' '.join(self.codes)) or 'no code'})"


_OWN_USERS = "many cameras have users of their own for ONVIF, to be made in their menus"


class NoOnvif(OnvifError):
    """Nothing at `place` speaks ONVIF. `detail`: a clause such as `it answers 404`."""

    def __init__(self, place: str, detail: str) -> None:
        super().__init__(place, detail)
        self.place = place
        self.detail = detail

    def __str__(self) -> str:
        return (
            f"no ONVIF at {self.place}: {self.detail}; turn ONVIF on in the camera's menu, or name its port:"
            " 80, 8000, 8080, 8899 and 2020 are usual"
        )


class NoMedia(OnvifError):
    """A device that speaks ONVIF and has no media service."""

    def __str__(self) -> str:
        return "this ONVIF device has no media service: it is no camera or recorder"


class LoginNeeded(OnvifError):
    """The service wants a login and none was given."""

    def __str__(self) -> str:
        return f"the camera's ONVIF service wants a login: give a user name and a password; {_OWN_USERS}"


class LoginRefused(OnvifError):
    """The service refused the login, which was tried once.

    operation: what it refused to a login that it had taken before; empty where it took none yet.
    """

    def __init__(self, operation: str = "") -> None:
        super().__init__(operation)
        self.operation = operation

    def __str__(self) -> str:
        if self.operation:
            return (
                f"the camera's ONVIF service lets this user in, but not do {self.operation}: give the user more rights"
                " in the camera's menu"
            )
        return (
            "the camera's ONVIF service refuses user name and password; camgate tried once only, as cameras lock"
            f" accounts: check both; {_OWN_USERS}"
        )
