"""`camgate user …`: what the config keeps of a user."""

import sys
from typing import Annotated

import typer

from camgate.cli.commands import SETTINGS
from camgate.cli.exits import FAILED, exit_codes, refuse
from camgate.config.checks import Wrong, plain_name, user_name
from camgate.config.model import BUILT_IN_ROLES
from camgate.config.password_hash import hash_password
from camgate.config.starter import user_table

SHORT_CHARS = 8
"""NIST SP 800-63B section 5.1.1.2: no fewer for a password that somebody chooses."""
MAX_CHARS = 1024
TRIES = 3

user = typer.Typer(help="Users of the pages and the API.", no_args_is_help=True, **SETTINGS)


@user.callback()
def _users() -> None:
    """Keep `hash` a command of its own, which typer would drop while it is the only one."""


# More arguments are taken and refused without repeating them: one of them may be a password.
@user.command("hash", context_settings={"allow_extra_args": True})
def make_hash(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Print the user's whole table for the config file.")
    ] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role of the user; may be given again.")] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the password from stdin, one line.")] = False,
) -> None:
    """Ask for a password and print its argon2id hash, which is what a config file holds of it."""
    with exit_codes():
        if context.args:
            refuse("user hash", "takes a NAME and nothing else; the password is asked for, or read with --stdin")
        roles = role or ["viewer"]
        _check(name, roles)
        password = _from_stdin() if stdin else _asked_for()
        if not password.strip():
            refuse("user hash", "an empty password is none")
        if len(password) > MAX_CHARS:
            refuse("user hash", f"a password has {MAX_CHARS} characters at most")
        if len(password) < SHORT_CHARS:
            typer.echo(f"camgate: a password of less than {SHORT_CHARS} characters is soon guessed", err=True)
        kept = hash_password(password)
        typer.echo(kept if name is None else user_table(name, kept, roles), nl=name is None)
        if name is not None and (unknown := [f"[auth.roles.{each}]" for each in roles if each not in BUILT_IN_ROLES]):
            typer.echo(f"camgate: define {', '.join(unknown)} as well", err=True)


def _check(name: str | None, roles: list[str]) -> None:
    try:
        if name is not None:
            user_name(name)
    except Wrong as error:
        refuse("user hash", f"NAME {error}")
    try:
        for each in roles:
            plain_name(each)
    except Wrong as error:
        refuse("user hash", f"--role {error}")


def _from_stdin() -> str:
    line = sys.stdin.readline(MAX_CHARS + 2)
    return line.removesuffix("\n").removesuffix("\r")


def _asked_for() -> str:
    if not sys.stdin.isatty():
        refuse("user hash", "there is no terminal to ask at; hand the password over with --stdin")
    for _ in range(TRIES):
        first, second = (
            str(typer.prompt(text, default="", show_default=False, hide_input=True, err=True))
            for text in ("Password", "Again")
        )
        if first == second:
            return first
        typer.echo("These are not the same.", err=True)
    raise typer.Exit(FAILED)
