"""Where tables go: text from elsewhere stays as it is, whatever rich would read in it."""

from rich.console import Console

LEAST_WIDTH = 80
"""Of tables whose columns would be cut to nothing where there is less; then lines are broken by the terminal."""


def table_console(least_width: int = LEAST_WIDTH) -> Console:
    """Return a console on stdout that is at least so wide."""
    console = Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, least_width)
    return console
