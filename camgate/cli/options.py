"""Options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

CONFIG_HELP = "Config file."
CONFIG_PLACES = "/etc/camgate/camgate.toml, else ./camgate.toml"

ConfigFileOption = Annotated[Path | None, typer.Option("--config", "-c", help=CONFIG_HELP, show_default=CONFIG_PLACES)]
