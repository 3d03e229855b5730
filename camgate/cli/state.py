"""What commands that work on the daemon's own files have in common: its directory, times and tables."""

import os
import shlex
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from camgate.config.errors import ConfigError, Problem, StartError
from camgate.config.load import load
from camgate.config.model import Settings
from camgate.config.overlay import Overlay, merge
from camgate.config.state import made_state_directory


def load_with_saved(file: Path) -> Settings:
    """Read a config with the cameras that were added by the API, as `camgate run` does. Raises ConfigError."""
    of_file = load(file, os.environ, needs_cameras=False)
    overlay = Overlay.of(of_file.server, os.environ)
    return merge(of_file, overlay.load(), file=overlay.file)


def directory_of(settings: Settings, file: Path) -> Path:
    """Return the state directory, made where it is missing. file: the config. Raises ConfigError."""
    try:
        return made_state_directory(settings.server, os.environ)
    except StartError as error:
        raise ConfigError((Problem(str(file), error.sentence, key=error.key),)) from None


def config_option(file: Path, given: Path | None) -> str:
    """Return what a command that is suggested needs to find the same state directory; nothing for the usual config."""
    return "" if given is None else f" --config {shlex.quote(str(file))}"


def in_local_time(unix_s: float) -> str:
    """Return a Unix time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(unix_s))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows below their columns' names."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(table)
