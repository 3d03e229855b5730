"""Why an RTSP client cannot have what it asks for: errors that know the status to answer."""

from http import HTTPStatus

from camgate.base.errors import RemoteError


class TooManyClients(RemoteError):
    """There is no place for one more client."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, limit: int, key: str) -> None:
        super().__init__(limit, key)
        self.limit = limit
        self.key = key

    def __str__(self) -> str:
        return f"All {self.limit} places for RTSP clients are taken ({self.key}); try again later, or raise the limit."
