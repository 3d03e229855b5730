"""What receivers are told, and the headers that prove who says it (https://www.standardwebhooks.com, version 1.0.0)."""

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from camgate import __version__
from camgate.config.webhooks import signing_key


class Event(StrEnum):
    """What a message is about; the values are the config's and the receivers' words."""

    UP = "camera.up"
    DOWN = "camera.down"
    STALLED = "camera.stalled"
    TEST = "test"
    """Somebody tries whether messages arrive."""


def new_id() -> str:
    """Return a name for a message that no other has, with no full stop in it, as those part what is signed."""
    return f"msg_{secrets.token_hex(16)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, the same however often it is sent.

    happened_s: when, in Unix time. camera: its name; None where it is about none. reason: why, in words, as pages show
    them; None where there is nothing to explain. skipped: changes of the camera since the message before this one that
    were told in none, since they did not last or were too many.
    """

    event: Event
    happened_s: float
    camera: str | None = None
    title: str | None = None
    reason: str | None = None
    skipped: int = 0
    id: str = field(default_factory=new_id)

    def body(self) -> bytes:
        """Return it as it is sent."""
        happened = datetime.fromtimestamp(self.happened_s, UTC).isoformat(timespec="milliseconds")
        told = {
            "id": self.id,
            "time": happened.replace("+00:00", "Z"),
            "event": self.event.value,
            "camera": self.camera,
            "title": self.title,
            "reason": self.reason,
            "skipped": self.skipped,
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(secret: str, message_id: str, body: bytes, now_s: float) -> Mapping[str, str]:
    """Return the headers of one attempt to send a message. now_s: Unix time, by which receivers refuse old ones."""
    timestamp = str(int(now_s))
    # "The content to be signed is therefore: {msg_id}.{timestamp}.{payload}."
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(signing_key(secret), signed, "sha256")).decode()
    return {
        "User-Agent": f"camgate/{__version__}",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
