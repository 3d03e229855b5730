"""`camgate viewer …`: who watches the cameras of the camgate that runs."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from camgate.cli.api import ConfigOption, SocketOption, UrlOption, open_api
from camgate.cli.commands import SETTINGS
from camgate.cli.consoles import table_console
from camgate.cli.exits import exit_codes, refuse
from camgate.tui import words
from camgate.tui.facts import number, text

VIEWERS = "/api/v1/viewers"
LEAST_WIDTH = 100
FOLDED = ("camera", "user")

viewer = typer.Typer(help="List who watches, and send somebody away.", no_args_is_help=True, **SETTINGS)


@viewer.command("list")
def list_viewers(
    camera: Annotated[
        list[str] | None, typer.Option("--camera", metavar="NAME", help="Of this camera; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known, for programs.")] = False,
    socket: SocketOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """List who watches: in browsers, and from the RTSP server."""
    query = "?" + urlencode([("camera", each) for each in camera]) if camera else ""
    with exit_codes(), open_api(socket, url, config) as api:
        viewers = api.ask("GET", VIEWERS + query)
    if as_json:
        typer.echo(json.dumps(viewers, indent=2))
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("id", "camera", "user", "address", "by", "codec"):
        table.add_column(title, overflow="fold", no_wrap=title not in FOLDED)
    for title in ("since", "bit rate", "loss", "trip"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in viewers:
        table.add_row(*_row(each))
    table_console(LEAST_WIDTH).print(table if viewers else "nobody watches")


@viewer.command()
def end(
    viewer_id: Annotated[str, typer.Argument(metavar="ID", help="As `camgate viewer list` tells it.")],
    socket: SocketOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Send somebody away. Who still may view can come again: browsers try to by themselves."""
    with exit_codes(), open_api(socket, url, config) as api:
        found = [each for each in api.ask("GET", VIEWERS) if each["id"] == viewer_id]
        if not found:
            refuse("viewer", f"nobody watches under the id {viewer_id}; camgate viewer list tells who does")
        for each in found:
            api.ask("DELETE", f"/api/v1/cameras/{quote(each['camera'], safe='')}/viewers/{quote(viewer_id, safe='')}")
    typer.echo(f"viewer {viewer_id} is sent away")


def _row(told: Mapping[str, Any]) -> list[str]:
    since_s = number(told.get("since_s"))
    return [
        *(text(told.get(key)) for key in ("id", "camera", "user", "address")),
        " ".join(filter(None, (text(told.get("protocol")), text(told.get("transport"))))),
        text(told.get("codec")),
        words.span(since_s),
        words.bits(8 * (number(told.get("bytes_sent")) or 0) / since_s) if since_s else "",
        words.share(number(told.get("loss"))),
        words.span(number(told.get("round_trip_s"))),
    ]
