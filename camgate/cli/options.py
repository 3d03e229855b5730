"""Options that commands share, and how they are looked at."""

from pathlib import Path
from typing import Annotated

import typer

from camgate.config.checks import Wrong, web_address

CONFIG_HELP = "Config file."
CONFIG_PLACES = "/etc/camgate/camgate.toml, else ./camgate.toml"

ConfigFileOption = Annotated[Path | None, typer.Option("--config", "-c", help=CONFIG_HELP, show_default=CONFIG_PLACES)]


def is_web_address(text: str) -> bool:
    """Whether a text is the address of a web server."""
    try:
        web_address(text)
    except Wrong:
        return False
    return True
