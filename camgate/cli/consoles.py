"""Where tables go: text from elsewhere stays as it is, whatever rich would read in it."""

import errno
import os
from typing import NoReturn

from rich.console import Console

LEAST_WIDTH = 80
"""Of tables whose columns would be cut to nothing where there is less; then lines are broken by the terminal."""


class TableConsole(Console):
    """One that leaves it to the command what becomes of output that nobody reads."""

    def on_broken_pipe(self) -> NoReturn:
        """See rich, which would end the process with 1 here."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def table_console(least_width: int = LEAST_WIDTH) -> Console:
    """Return a console on stdout that is at least so wide."""
    console = TableConsole(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, least_width)
    return console
