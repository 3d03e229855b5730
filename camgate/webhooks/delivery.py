"""`deliver`: one attempt to bring one message to one receiver, and what came of it in words."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from camgate.auth.fetch import Fetcher, Unanswered
from camgate.config.model import WebhookSettings
from camgate.webhooks.messages import Message, signed_headers

TIMEOUT_S = 15.0
"""For all of an attempt. Standard Webhooks: 15 to 30 s."""

_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    words: of the answer, or why there is none; neither the address nor what the receiver wrote is in them. status: of
    the answer; None where none came. retry_after_s: what the receiver asks for; 0 where it asks for nothing.
    """

    words: str
    status: int | None = None
    retry_after_s: float = 0.0

    @property
    def arrived(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more messages, ever."""
        return self.status == HTTPStatus.GONE


async def deliver(
    fetcher: Fetcher, settings: WebhookSettings, message: Message, *, wall_clock: Callable[[], float] = time.time
) -> Outcome:
    """Send a message once."""
    body = message.body()
    headers = signed_headers(settings.secret, message.id, body, wall_clock())
    try:
        answer = await fetcher.post(settings.url, body, timeout_s=TIMEOUT_S, headers=headers)
    except Unanswered as error:
        return Outcome(str(error))
    wait_s = float(answer.retry_after) if _SECONDS.fullmatch(answer.retry_after) else 0.0
    return Outcome(_in_words(answer.status), answer.status, wait_s)


def _in_words(status: int) -> str:
    try:
        words = f"it answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        words = f"it answered {status}"
    if 300 <= status < 400:
        words += ", and redirects are not followed; write the address that it leads to"
    return words
