"""`camgate camera …`: the cameras of the camgate that runs, while it runs."""

import json
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from camgate.base.secrets import mask, register_login
from camgate.cli.api import Api, ConfigOption, SocketOption, UrlOption, open_api
from camgate.cli.commands import SETTINGS
from camgate.cli.completing import camera_names
from camgate.cli.consoles import table_console
from camgate.cli.exits import exit_codes, refuse
from camgate.config.cameras import read_password
from camgate.config.checks import Wrong
from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.url import split_url_untrusted

CAMERAS = "/api/v1/config/cameras"
STATES = "/api/v1/cameras"
OFF = "off"

camera = typer.Typer(help="Add, list and remove cameras of the camgate that runs.", no_args_is_help=True, **SETTINGS)

NewName = Annotated[str, typer.Argument(metavar="NAME", help="As in URLs.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="As in URLs.", autocompletion=camera_names)]


@camera.command("list")
def list_cameras(
    socket: SocketOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is configured, for programs.")] = False,
) -> None:
    """List all cameras: what they do, and whether they stand in the config file or were added here."""
    with exit_codes(), open_api(socket, url, config) as api:
        configured = api.ask("GET", CAMERAS)
        states = {each["name"]: each["state"] for each in api.ask("GET", STATES)}
    if as_json:
        typer.echo(json.dumps(configured, indent=2))
        return
    table = Table("camera", "state", "from", "url", box=SIMPLE_HEAD)
    for each in configured:
        state = states.get(each["name"], "") if each["enabled"] else OFF
        settings = each["settings"] or {}
        table.add_row(each["name"], state, each["origin"], mask(settings.get("url", "cannot be used; see the log")))
    table_console().print(table)


@camera.command()
def add(
    name: NewName,
    camera_url: Annotated[str, typer.Argument(metavar="RTSP_URL", help="rtsp://HOST[:PORT]/PATH, or rtsps://")],
    username: Annotated[str | None, typer.Option(help="The camera's login.")] = None,
    ask_password: Annotated[
        bool, typer.Option("--password", help="Ask for the login's password; reads it from stdin where nobody types.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="What pages call it.")] = None,
    on_demand: Annotated[bool, typer.Option("--on-demand", help="Connect only while somebody watches.")] = False,
    socket: SocketOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Add a camera, for good. It is kept by camgate; the config file is not touched."""
    table: dict[str, Any] = {"name": name, **_login_apart(camera_url)}
    if username is not None:
        table["username"] = username
    if ask_password:
        table["password"] = _password()
    if title is not None:
        table["title"] = title
    if on_demand:
        table["on_demand"] = True
    register_login(table.get("username", ""), table.get("password", ""))
    with exit_codes(), open_api(socket, url, config) as api:
        api.ask("POST", CAMERAS, table)
    typer.echo(f"camera {name} is added")


@camera.command()
def remove(name: Name, socket: SocketOption = None, url: UrlOption = None, config: ConfigOption = None) -> None:
    """Remove a camera that was added here; its viewers are told."""
    with exit_codes(), open_api(socket, url, config) as api:
        api.ask("DELETE", _path(name))
    typer.echo(f"camera {name} is removed")


@camera.command()
def enable(name: Name, socket: SocketOption = None, url: UrlOption = None, config: ConfigOption = None) -> None:
    """Switch a camera on, wherever it is configured."""
    with exit_codes(), open_api(socket, url, config) as api:
        _switch(api, name, "enable")
    typer.echo(f"camera {name} is switched on")


@camera.command()
def disable(name: Name, socket: SocketOption = None, url: UrlOption = None, config: ConfigOption = None) -> None:
    """Switch a camera off, for good: it is not connected to, and nobody sees it."""
    with exit_codes(), open_api(socket, url, config) as api:
        _switch(api, name, "disable")
    typer.echo(f"camera {name} is switched off")


def _switch(api: Api, name: str, how: str) -> None:
    api.ask("POST", f"{_path(name)}/{how}")


def _path(name: str) -> str:
    return f"{CAMERAS}/{quote(name, safe='')}"


def _login_apart(url: str) -> dict[str, str]:
    """Return a URL and the login that was written in it, as keys of a camera."""
    try:
        split = split_url_untrusted(url)
    except MalformedUrl as error:
        refuse("camera", f"that is no URL of a camera: {error.detail}; write rtsp://HOST[:PORT]/PATH")
    login = {"username": split.username, "password": split.password}
    return {"url": str(split).replace("${", "$${")} | {key: value for key, value in login.items() if value is not None}


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, err=True))
    try:
        return read_password(sys.stdin.buffer, "stdin")
    except Wrong as wrong:
        refuse("camera", str(wrong))
