"""`camgate init`: write a config to start from."""

import os
from pathlib import Path
from typing import Annotated

import typer

from camgate.cli.exits import exit_codes
from camgate.config.load import LOCAL_FILE
from camgate.config.starter import write_starter


def init(
    file: Annotated[Path, typer.Argument(help="Config file to write.")] = LOCAL_FILE,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="A camera to write into it; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there already.")] = False,
) -> None:
    """Write a commented config file to start from."""
    with exit_codes():
        write_starter(file, camera or [], os.environ, overwrite=force)
    typer.echo(f"wrote {file}; edit it, then: camgate run --config {file}")
