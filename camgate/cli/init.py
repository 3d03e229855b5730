"""`camgate init`: write a config to start from, and make its first user."""

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from camgate.base.secrets import register_secret
from camgate.cli.exits import exit_codes
from camgate.config.load import LOCAL_FILE
from camgate.config.password_hash import hash_password
from camgate.config.starter import ADMIN, checked_starter_text, write_starter

STDOUT = Path("-")
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is easily misread: i, l, o, 0, 1."""
GROUPS, GROUP_CHARS = 4, 5
"""Twenty of 31 characters: 99 bits."""


def init(
    file: Annotated[Path, typer.Argument(help="Config file to write, - for stdout.")] = LOCAL_FILE,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="A camera to write into it; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there already.")] = False,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Without users: for this machine only, and whoever uses it sees all.")
    ] = False,
) -> None:
    """Write a commented config file to start from, with a user `admin` whose password is shown once."""
    cameras = camera or []
    password = None if no_auth else new_password()
    with exit_codes():
        password_hash = None if password is None else hash_password(password)
        if file == STDOUT:
            typer.echo(checked_starter_text(file, cameras, os.environ, password_hash), nl=False)
        else:
            write_starter(file, cameras, os.environ, password_hash, overwrite=force)
            typer.echo(f"wrote {file}; edit it, then: camgate run --config {file}")
    tell_password(password, err=file == STDOUT)


def tell_password(password: str | None, *, err: bool) -> None:
    """Show the administrator's password, if there is one; err: on stderr."""
    if password is None:
        return
    typer.echo(
        f"\nSign in as {ADMIN} with the password {password}\n"
        "This is the only time that it is shown; `camgate user hash` makes another.",
        err=err,
    )


def new_password() -> str:
    """Return a random password that can be typed."""
    password = "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARS)) for _ in range(GROUPS))
    register_secret(password)
    return password
