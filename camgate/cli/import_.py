"""`camgate import`: a config out of one of MediaMTX or go2rtc."""

import os
from pathlib import Path
from typing import Annotated

import typer

from camgate.base.secrets import mask
from camgate.cli.exits import exit_codes, refuse
from camgate.cli.init import STDOUT, new_password, tell_password
from camgate.config.load import LOCAL_FILE
from camgate.config.password_hash import hash_password
from camgate.config.starter import refuse_existing, write_config
from camgate.moving.convert import KINDS, convert


def import_(
    file: Annotated[Path, typer.Argument(help="Config of MediaMTX (mediamtx.yml) or go2rtc (go2rtc.yaml).")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Config file to write, - for stdout.")
    ] = LOCAL_FILE,
    kind: Annotated[
        str | None,
        typer.Option("--from", metavar="mediamtx|go2rtc", help="Whose config it is.", show_default="told by its keys"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output if it is there already.")] = False,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Without a user `admin`; camgate then listens on this machine only.")
    ] = False,
) -> None:
    """Make a config out of one of MediaMTX or go2rtc, and list what in it has no counterpart."""
    if kind is not None and kind not in KINDS:
        refuse("import", f"--from is one of {' and '.join(KINDS)}")
    with exit_codes():
        if output != STDOUT and not force:
            refuse_existing(output)
        password = None if no_auth else new_password()
        password_hash = None if password is None else hash_password(password)
        imported = convert(file, output, os.environ, kind=kind, password_hash=password_hash)
        if output == STDOUT:
            typer.echo(imported.text, nl=False)
        else:
            write_config(output, imported.text, overwrite=force)
    for note in imported.notes:
        typer.echo(mask(str(note)), err=True)
    for variable in imported.variables:
        typer.echo(f"{file}: needs the environment variable {variable}, which is not set here", err=True)
    if output != STDOUT:
        cameras = "1 camera" if imported.cameras == 1 else f"{imported.cameras} cameras"
        typer.echo(f"wrote {output}, {cameras} of {imported.kind}; look through it, then: camgate check {output}")
    tell_password(password if imported.has_new_administrator else None, err=output == STDOUT)
