"""`camgate init`: write a config to start from."""

import os
from pathlib import Path
from typing import Annotated

import typer

from camgate.cli.exits import exit_codes
from camgate.config.load import LOCAL_FILE
from camgate.config.starter import checked_starter_text, write_starter

STDOUT = Path("-")


def init(
    file: Annotated[Path, typer.Argument(help="Config file to write, - for stdout.")] = LOCAL_FILE,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="A camera to write into it; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there already.")] = False,
) -> None:
    """Write a commented config file to start from."""
    cameras = camera or []
    with exit_codes():
        if file == STDOUT:
            typer.echo(checked_starter_text(file, cameras, os.environ), nl=False)
            return
        write_starter(file, cameras, os.environ, overwrite=force)
    typer.echo(f"wrote {file}; edit it, then: camgate run --config {file}")
