"""Why a camera gives no pictures, beyond what RTSP itself can say: sentences for the camera's owner."""

from camgate.base.errors import RemoteError


class CameraAway(RemoteError):
    """No TCP connection came about: nothing is known of the camera but that it is not there.

    place: host and port; reason: a clause such as `refuses the connection`.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place} {self.reason}"


class CameraHungUp(RemoteError):
    """The camera ended the connection, or the network did. `reason`: a whole sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class CameraStalled(RemoteError):
    """The connection is open but no picture came for `silent_s` seconds."""

    def __init__(self, silent_s: float) -> None:
        super().__init__(silent_s)
        self.silent_s = silent_s

    def __str__(self) -> str:
        return f"no picture for {self.silent_s:g} s although the connection is open"


class TooManyRedirects(RemoteError):
    """The camera sent us from address to address."""

    def __init__(self, hops: int) -> None:
        super().__init__(hops)
        self.hops = hops

    def __str__(self) -> str:
        return f"the camera redirected {self.hops} times without showing a picture"


class CameraMoved(RemoteError):
    """The camera asks to be dialled at `url` instead."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return "the camera redirects to another address"
