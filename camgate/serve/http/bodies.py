"""How bodies of requests are read."""

import json
from typing import Any

from quart import request


async def request_body() -> bytes:
    """Return the body of the present request, as it was sent: not kept for others, and not read as a form."""
    body: bytes = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    return body


def json_object_untrusted(body: bytes, *, is_strict: bool = False) -> dict[str, Any] | None:
    """Read one JSON object; None for what is none. is_strict: nor is what holds NaN or infinity (RFC 8259)."""
    try:
        found = json.loads(body, parse_constant=_refuse if is_strict else None)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets
        return None
    return found if isinstance(found, dict) else None


def _refuse(_constant: str) -> None:
    raise ValueError
