"""`camgate reload`: have the camgate that runs read its config anew."""

from collections.abc import Iterator
from typing import Any

import typer

from camgate.cli.api import ConfigOption, SocketOption, UrlOption, open_api
from camgate.cli.exits import exit_codes


def reload(socket: SocketOption = None, url: UrlOption = None, config: ConfigOption = None) -> None:
    """Have the camgate that runs read its config anew, and say what has changed; mistakes change nothing."""
    with exit_codes(), open_api(socket, url, config) as api:
        told = api.ask("POST", "/api/v1/reload")
    for line in changes_in_words(told):
        typer.echo(line)


def changes_in_words(told: dict[str, Any]) -> Iterator[str]:
    """Say what a reload has changed, a line for each kind of it."""
    if told["added"]:
        yield f"added: {', '.join(told['added'])}"
    if told["removed"]:
        yield f"removed: {', '.join(told['removed'])}"
    for name, keys in told["changed"].items():
        anew = ", and is connected to anew" if name in told["restarted"] else ""
        yield f"{name} has changed: {', '.join(keys)}{anew}"
    if told["settings"]:
        yield f"holds from now on: {', '.join(told['settings'])}"
    if told["at_next_start"]:
        yield f"changes at the next start: {', '.join(told['at_next_start'])}"
    if told["ended"]:
        yield f"cut off, as they may no more: {told['ended']}"
    if not any(told.values()):
        yield "nothing has changed"
