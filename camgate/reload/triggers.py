"""What makes a running camgate read its config anew by itself: SIGHUP, and the file when it is watched."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Never

import trio

from camgate.base.files import stamp_of
from camgate.base.log import get_logger
from camgate.reload.reloader import Reloader
from camgate.serve.http.control import ConfigRefused

log = get_logger("reload")

LOOK_S = 1.0
"""How often a watched file is looked at. It is read when it has stayed the same between two looks, since some editors
write it in several steps."""


async def reload_on_hangup(
    reloader: Reloader, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> Never:
    """Reload at each SIGHUP until cancelled; but stop, as at SIGTERM, where the terminal was closed that we run in."""
    terminals = [descriptor for descriptor in range(3) if os.isatty(descriptor)]
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            if terminals and not any(map(os.isatty, terminals)):
                signal.raise_signal(signal.SIGTERM)
            else:
                await _reload(reloader, "SIGHUP")
    raise AssertionError("signals do not end")


async def reload_on_change(reloader: Reloader, file: Path, is_wanted: Callable[[], bool]) -> Never:
    """Reload when `file` was changed or replaced, for as long as `is_wanted` says so, until cancelled."""
    taken = seen = await trio.to_thread.run_sync(stamp_of, file)
    while True:
        await trio.sleep(LOOK_S)
        if not is_wanted():
            taken = seen = None
            continue
        before, seen = seen, await trio.to_thread.run_sync(stamp_of, file)
        if taken is None:
            # The watch has only just begun.
            taken = seen
        elif seen is not None and seen == before and seen != taken:
            taken = seen
            await _reload(reloader, "a change of the file")


async def _reload(reloader: Reloader, by: str) -> None:
    try:
        await reloader.reload(by)
    except ConfigRefused:
        return  # the log has it
