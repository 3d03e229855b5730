"""Why somebody is not let in, in words for them. None says whether a user exists."""

from http import HTTPStatus

from camgate.relay.errors import ViewerError


class SignedOut(ViewerError):
    """The request does not say who asks, and what it asks for is not for everybody."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Signed out"

    def __str__(self) -> str:
        return "Sign in at /signin, or send a user name and password (HTTP Basic) or a token (Bearer) with the request."


class LoginRefused(ViewerError):
    """A user name, password or token is wrong, or the token's time is over."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Login refused"

    def __init__(self, what: str) -> None:
        """what: what was wrong, such as `the user name or the password is wrong`; strangers read it."""
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"The login was refused: {self.what}."


class TooManyLogins(ViewerError):
    """So many logins failed that the next one has to wait."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many logins"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"Too many logins have failed; try again in {self.retry_after_s:.0f} s."


class TooManyLoginsAtOnce(ViewerError):
    """So many logins wait to be checked that one more would wait for too long."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many logins at once"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"Too many logins wait to be checked; try again in {self.retry_after_s:.0f} s."


class LoginsDown(ViewerError):
    """Nobody knows at present whether a login is right: whoever would know does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Logins down"

    is_signed_in = False
    """Whether who asks holds a session."""

    def __init__(self, what: str, retry_after_s: float) -> None:
        """what: what does not answer, in words for strangers."""
        super().__init__(what, retry_after_s)
        self.what = what
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        who = "You are still signed in, but logins cannot be checked" if self.is_signed_in else "Nobody can be let in"
        return f"{who} at present: {self.what}; try again in {self.retry_after_s:.0f} s."


class NotPermitted(ViewerError):
    """Somebody is known, and may not do this."""

    status = HTTPStatus.FORBIDDEN
    title = "Not permitted"

    def __init__(self, action: str, camera: str | None = None) -> None:
        super().__init__(action, camera)
        self.action = action
        self.camera = camera

    def __str__(self) -> str:
        where = "on this server" if self.camera is None else "with this camera"
        return f"This needs the permission `{self.action}` {where}; ask whoever runs it, or sign in as somebody else."


class ForeignPage(ViewerError):
    """A page of another site has a browser send what only pages of ours may, or a program sends a cookie."""

    status = HTTPStatus.FORBIDDEN
    title = "Not from a page of this site"

    def __str__(self) -> str:
        return (
            "Only pages of this site may do this with a session's cookie; "
            "programs send a user name and password (HTTP Basic) or a token (Bearer)."
        )


class UnnamedOrigin(ViewerError):
    """A page that only `*` lets in wants more than to watch, or has the browser's login sent along."""

    status = HTTPStatus.FORBIDDEN
    title = "Origin not named"

    def __str__(self) -> str:
        return (
            "Pages of other sites may only watch here, and without a password or a cookie; for more name their origin "
            "in server.cors_origins (`*` names none), or have them send a token (Bearer)."
        )


class SharingIsOff(ViewerError):
    """A link is to be shared where everybody is let in."""

    status = HTTPStatus.CONFLICT
    title = "Sharing is off"

    def __str__(self) -> str:
        return "Without users everybody who reaches this server sees its cameras, and needs no link; add users first."
