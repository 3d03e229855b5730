"""The commands by name, each loaded when it is the one that was asked for.

What all of them import takes half a second; `camgate --version` needs none of it. A command stands in the module of its
name as a function of its name, or, where it has commands of its own, as a `typer.Typer` of its name; Python's keywords
have `_` behind them there.
"""

from importlib import import_module
from keyword import iskeyword
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as command_of

COMMANDS = (
    "run",
    "demo",
    "check",
    "status",
    "reload",
    "camera",
    "viewer",
    "doctor",
    "init",
    "import",
    "discover",
    "probe",
    "user",
    "token",
    "share",
    "webhook",
    "cert",
    "service",
    "bench",
    "completion",
)
"""In the order of the help, which is all that loads every one of them."""

SETTINGS: dict[str, Any] = {
    "add_completion": False,
    # Pretty tracebacks would go past the mask.
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""Of every `typer.Typer` here."""


class LazyCommands(TyperGroup):
    """A group that has stand-ins for its commands, of which only the names are right, until one is asked for."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands.update({name: TyperCommand(name) for name in COMMANDS})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load and return a command; None where there is none of this name."""
        return _load(cmd_name) if cmd_name in COMMANDS else None


def _load(name: str) -> Any:
    python_name = f"{name}_" if iskeyword(name) else name
    command = getattr(import_module(f"camgate.cli.{python_name}"), python_name)
    if not isinstance(command, typer.Typer):
        alone = typer.Typer(**SETTINGS)
        alone.command(name)(command)
        command = alone
    loaded = command_of(command)
    loaded.name = name
    return loaded
