"""How bodies of requests are read."""

import json
from http import HTTPStatus
from typing import Any

from quart import request

from camgate.relay.errors import ViewerError

JSON = "application/json"
MAX_TOLD_CHARS = 80


class NotJson(ViewerError):
    """A body says that it is something else, as forms of any site do, which browsers send without asking first."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "Not JSON"

    def __init__(self, given: str) -> None:
        """given: what the body says that it is; empty for nothing."""
        super().__init__(given)
        self.given = given

    def __str__(self) -> str:
        return f"The body's Content-Type must be {JSON}, not {self.given[:MAX_TOLD_CHARS] or 'none'}."


async def request_body() -> bytes:
    """Return the body of the present request, as it was sent: not kept for others, and not read as a form."""
    body: bytes = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    return body


async def json_body() -> bytes:
    """Return the body of the present request as `request_body` does. Raises NotJson where it says it is none."""
    if request.mimetype != JSON and not request.mimetype.endswith("+json"):
        raise NotJson(request.mimetype)
    return await request_body()


def json_object_untrusted(body: bytes, *, is_strict: bool = False) -> dict[str, Any] | None:
    """Read one JSON object; None for what is none. is_strict: nor is what holds NaN or infinity (RFC 8259)."""
    try:
        found = json.loads(body, parse_constant=_refuse if is_strict else None)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets
        return None
    return found if isinstance(found, dict) else None


def _refuse(_constant: str) -> None:
    raise ValueError
