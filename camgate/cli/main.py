"""Joins the commands to one program."""

import os
from typing import Annotated

import typer
from typer.completion import get_completion_inspect_parameters

from camgate import __version__
from camgate.cli.argv import credentials_were_given, hidden
from camgate.cli.commands import SETTINGS, LazyCommands
from camgate.cli.completing import VARIABLE
from camgate.cli.exits import BAD_USAGE, FAILED

EXPOSED_LOGIN = (
    "camgate: a login on the command line can be read in the shell's history, and for a moment in the process list; "
    "better hand the password over in a file or in the environment"
)

UNKNOWN_COMMAND = "No such command"
"""How typer's words for it begin."""

NAME = "camgate"

app = typer.Typer(name=NAME, cls=LazyCommands, no_args_is_help=True, **SETTINGS)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"camgate {__version__}")
        raise typer.Exit


@app.callback()
def camgate(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Shows RTSP cameras in browsers over WebRTC: at once, and a fraction of a second behind."""
    if credentials_were_given():
        typer.echo(EXPOSED_LOGIN, err=True)


def run_command_line() -> int:
    """Run the command that the arguments name; returns the exit code.

    Usage errors are shown here and not by typer, since they repeat arguments, and those may hold a login.
    """
    try:
        if VARIABLE in os.environ:
            get_completion_inspect_parameters()  # has typer know the shells; what it returns is for options of its own
        code = app(prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:
        # Empty when the whole help was shown, for want of a command.
        if message := _in_words(error):
            typer.echo(f"camgate: {hidden(message)}\nTry '{_command_of(error)} --help'.", err=True)
        return BAD_USAGE
    except typer.Abort:
        return FAILED
    return code or 0


def _in_words(error: typer.TyperException) -> str:
    """Return what is wrong, with the commands that there are where none was meant that exists."""
    # Pydantic, which typer has convert values, says first that it is about a value.
    message = error.format_message().replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    if not message.startswith(UNKNOWN_COMMAND) or "Did you mean" in message or context is None:
        return message
    return f"{message} There are {', '.join(sorted(context.command.list_commands(context)))}."


def _command_of(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    names: list[str] = []
    while context is not None and context.parent is not None:
        names.insert(0, context.info_name)
        context = context.parent
    return " ".join(["camgate", *names])
