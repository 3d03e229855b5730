"""What the shell can complete: names of cameras, besides what typer knows itself (commands, options, their choices)."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer

VARIABLE = "_CAMGATE_COMPLETE"
"""Set by the shell's script when it asks; says for which shell."""


def camera_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names that begin so, of the config and of what the API has added; none where that cannot be read."""
    return [name for name in _names(context.params.get("config")) if name.startswith(incomplete)]


def _names(config: Path | None) -> Iterable[str]:
    from camgate.config.errors import ConfigError  # most commands complete nothing
    from camgate.config.load import find_config_file, load
    from camgate.config.overlay import Overlay

    with suppress(ConfigError):
        settings = load(find_config_file(config), os.environ, needs_cameras=False)
        yield from settings.cameras
        saved = Overlay.of(settings.server, os.environ).load()
        yield from (name for name in saved.cameras if name not in settings.cameras)
