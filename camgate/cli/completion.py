"""`camgate completion`: the script by which a shell completes camgate's commands, options and cameras."""

from enum import Enum
from typing import Annotated

import typer

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

ZSH = f"""\
#compdef {NAME}
_camgate_completion() {{
    eval $(env _TYPER_COMPLETE_ARGS="${{words[1,$CURRENT]}}" {VARIABLE}=complete_zsh {NAME})
}}
compdef _camgate_completion {NAME}
"""

_ASK = f"env {VARIABLE}=complete_fish _TYPER_COMPLETE_ARGS=(commandline -cp) _TYPER_COMPLETE_FISH_ACTION"
FISH = f"""\
complete --command {NAME} --no-files --arguments "({_ASK}=get-args {NAME})" --condition "{_ASK}=is-args {NAME}"
"""
"""As typer writes them, which answers them."""


class Shell(Enum):
    """Those that there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Whose script.")]) -> None:
    """Print the script that has a shell complete commands, options and names of cameras."""
    typer.echo({Shell.BASH: BASH, Shell.ZSH: ZSH, Shell.FISH: FISH}[shell], nl=False)
