"""`camgate` and `python -m camgate`: the start of the process."""

import io
import sys
from typing import NoReturn

from camgate.cli.argv import hide_credentials

BROKEN_OFF = 1


def main() -> NoReturn:
    """Run the command line. Exits with 0 fine, 1 failure while running, 2 usage or bad config."""
    try:
        # First of all, and before the imports that take their time: they leave a login readable in the process list.
        hide_credentials()
        _write_what_can_be_written()
        sys.exit(run())
    except KeyboardInterrupt:
        # During those imports; a command that has begun ends by itself.
        sys.exit(BROKEN_OFF)


def _write_what_can_be_written() -> None:
    """Have a question mark stand for what a terminal, or whoever reads, has no character for; not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def run() -> int:
    """Run the command line and return the exit code."""
    from camgate.base.log_setup import setup_logging
    from camgate.cli.main import run_command_line
    from camgate.config.model import LoggingSettings

    # Whatever goes wrong from here on reaches the console through the mask; `run` puts its own settings in place.
    with setup_logging(LoggingSettings(level="warning")):
        return run_command_line()


if __name__ == "__main__":
    main()
