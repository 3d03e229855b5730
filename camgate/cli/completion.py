"""`camgate completion`: the script by which a shell completes camgate's commands, options and cameras."""

from enum import Enum
from typing import Annotated

import typer
from typer import completion as typers

from camgate.cli.completing import VARIABLE
from camgate.cli.main import NAME

BASH = f"""\
_camgate_completion() {{
    local IFS=$'\\n' word
    COMPREPLY=()
    for word in $(env COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD {VARIABLE}=complete_bash "$1"); do
        COMPREPLY+=("$(printf %q "$word")")
    done
}}
complete -o default -F _camgate_completion {NAME}
"""
"""typer's own would break names at their spaces."""


class Shell(Enum):
    """Those that there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Whose script.")]) -> None:
    """Print the script that has a shell complete commands, options and names of cameras."""
    if shell is Shell.BASH:
        typer.echo(BASH, nl=False)
        return
    script = getattr(typers, "get_completion_script")  # noqa: B009 (typer exports it to itself only)
    typer.echo(script(prog_name=NAME, complete_var=VARIABLE, shell=shell.value))
