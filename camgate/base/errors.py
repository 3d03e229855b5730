"""The root of camgate's errors and its two families.

Local errors say that our own caller broke a rule; Remote errors say that a peer (a camera, a browser, a file's
author) did. Errors hold fields, `__str__` makes the sentence, and no error text ever holds a credential.
"""

from http import HTTPStatus
from typing import ClassVar


class CamgateError(Exception):
    """Root of every error that camgate raises on purpose."""


class LocalError(CamgateError):
    """Our own code called something in a way, or in a state, that its contract does not allow."""


class RemoteError(CamgateError):
    """A peer sent something that its protocol does not allow.

    `status` is the code to answer with where the peer's protocol has status codes (HTTP, RTSP).
    """

    status: ClassVar[int] = HTTPStatus.BAD_REQUEST
