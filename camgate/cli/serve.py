"""Runs something that serves, from the terminal's point of view: until Ctrl-C or SIGTERM."""

import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import trio
from rich.console import Console
from rich.style import Style
from rich.text import Text

from camgate import __version__
from camgate.base.collector import YOUNG_OBJECTS, spare_the_start
from camgate.base.log import get_logger

log = get_logger("cli")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(service: Callable[..., Awaitable[None]], *, young_objects: int = YOUNG_OBJECTS, **facts: object) -> None:
    """Run `service` until a signal cancels it, and show the URL with which it says that it has started.

    facts: what to log at the start beside our version. young_objects: see `base.collector`.

    The first signal stops in order; a second one ends the process at once, even if it is stuck.
    """
    _allow_open_files()
    trio.run(_serve_until_signalled, service, young_objects, facts)


def _allow_open_files() -> None:
    """Allow as many open files as the system lets us: shells allow 1024, which 1000 viewers with a page each exceed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve_until_signalled(
    service: Callable[..., Awaitable[None]], young_objects: int, facts: dict[str, object]
) -> None:
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on_signal, signals, nursery.cancel_scope)
            url = await nursery.start(service)
            spare_the_start(young_objects)
            log.info("camgate has started", version=__version__, **facts)
            _announce(url)
    log.info("camgate has stopped")


async def _stop_on_signal(signals: AsyncIterator[int], service: trio.CancelScope) -> None:
    async for number in signals:
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_DFL)
        log.info("a signal says to stop", signal=signal.Signals(number).name)
        service.cancel()
        return


def _announce(url: str) -> None:
    if sys.stdout.isatty():
        # Not as markup, in which the brackets of an IPv6 address would be a style.
        link = (url, Style(bold=True, link=url))
        Console().print(Text.assemble("\n  camgate is ready: open ", link, "  (Ctrl-C stops it)\n"))
