"""`camgate run`: show the cameras of a config file."""

import os
from functools import partial
from typing import Annotated

import typer

from camgate.base.log_setup import setup_logging
from camgate.cli.exits import exit_codes
from camgate.cli.options import ConfigFileOption
from camgate.config.load import find_config_file, load


def run(
    config: ConfigFileOption = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine although viewers need no password.")
    ] = False,
) -> None:
    """Show the cameras of a config file, until Ctrl-C or SIGTERM."""
    with exit_codes():
        file = find_config_file(config)
        # Importing the rest takes most of a second: a mistake in the config is told before.
        of_file = load(file, os.environ, needs_cameras=False)
    from camgate import app
    from camgate.cli.serve import serve
    from camgate.reload.reloader import ConfigSource

    with setup_logging(of_file.logging), exit_codes(file):
        source = ConfigSource.of(file, os.environ, of_file)
        settings, saved = source.begin()
        facts = {"config": file.absolute(), "log": settings.logging.output, "log_level": settings.logging.level}
        serve(
            partial(app.run, settings, source=source, saved=saved, insecure=insecure, environ=os.environ),
            young_objects=settings.performance.gc,
            **facts,
        )
