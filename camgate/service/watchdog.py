"""Keeps the service manager up to date: the status line, and the watchdog, which is fed only while camgate works.

Two things must hold for each feeding. The event loop takes turns: it does whenever the task here runs. And every camera
is looked after: `ailing` tells. When one of them does not hold, systemd ends camgate and starts it anew.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Never

import trio

from camgate.base.log import get_logger
from camgate.relay.source import CameraState
from camgate.service.notify import Notifier

log = get_logger("service")

STATUS_S = 3.0
"""How often the status line is looked at; `systemctl status` is read by people."""


def watchdog_period_s(environ: Mapping[str, str]) -> float:
    """Return how often the watchdog is to be fed, in seconds: twice as often as it wants; `inf` where there is none."""
    try:
        wanted_us = int(environ.get("WATCHDOG_USEC", ""))
        # sd_watchdog_enabled(3): the variables are inherited, and meant for this one process.
        is_ours = int(environ.get("WATCHDOG_PID", os.getpid())) == os.getpid()
    except ValueError:
        return math.inf
    return wanted_us / 2e6 if is_ours and wanted_us > 0 else math.inf


def status_line(states: Iterable[CameraState], viewers: int) -> str:
    """Say in one line what camgate does. Cameras that nobody has asked for are not live, and nothing is wrong."""
    counts = Counter(states)
    words = [f"{counts[CameraState.LIVE]} of {counts.total()} cameras live"]
    if idle := counts[CameraState.IDLE]:
        words.append(f"{idle} idle")
    words.append("1 viewer" if viewers == 1 else f"{viewers} viewers")
    return ", ".join(words)


async def keep_informed(
    notifier: Notifier, status: Callable[[], str], ailing: Callable[[float], str | None], *, period_s: float
) -> Never:
    """Tell until cancelled.

    status: the line of now. ailing: says at a time in which camera's supervisor something is wrong, if anything is.
    period_s: between two feedings.
    """
    feed_s = due_s = pardoned_until_s = trio.current_time()
    while True:
        now = trio.current_time()
        if now - due_s > STATUS_S:
            # The whole process was held up, or the machine: the supervisors have yet to have the turns that we had not.
            pardoned_until_s = 2 * now - due_s
        hung = ailing(now) if now >= pardoned_until_s else None
        if now >= feed_s:
            feed_s = now + period_s
            _feed(notifier, hung)
        notifier.status(status() if hung is None else f"the watchdog is not fed: {hung}")
        due_s = min(trio.current_time() + STATUS_S, feed_s)
        await trio.sleep_until(due_s)


def _feed(notifier: Notifier, hung: str | None) -> None:
    if hung is None:
        notifier.alive()
    else:
        log.error("the watchdog is not fed, and will have camgate started anew", reason=hung)
