"""`camgate probe`: what a camera offers, and what a browser will get of it."""

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import trio
import typer
from rich.console import Console
from rich.table import Table

from camgate.cli.exits import BAD_USAGE, FAILED, exit_codes
from camgate.cli.probe_onvif import ask_camera, show
from camgate.config.arguments import PASSWORD_VARIABLE, camera_settings, login, onvif_address
from camgate.config.model import CameraSettings
from camgate.ingest.probe import probe as look_at

ONE_OF_TWO = "give either a URL, rtsp://HOST[:PORT]/PATH, or --onvif HOST[:PORT]"


def probe(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="rtsp://HOST[:PORT]/PATH, or rtsps://…")] = None,
    onvif: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="Instead of a URL: ask the camera for its streams by ONVIF."),
    ] = None,
    username: Annotated[str | None, typer.Option(help="For the camera's login.")] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with the password, - for stdin. Else {PASSWORD_VARIABLE} is taken, else it is asked for."
        ),
    ] = None,
    transport: Annotated[str, typer.Option(help="How media is to come: auto, tcp, udp or http.")] = "auto",
    tls_fingerprint: Annotated[
        str | None, typer.Option(help="For rtsps: the only certificate to take, sha256:….", metavar="FINGERPRINT")
    ] = None,
    tls_insecure: Annotated[bool, typer.Option("--tls-insecure", help="For rtsps: take any certificate.")] = False,
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long to look at the pictures.")] = 6.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Connect to a camera and print what it offers and what a browser will get; exit code 1 where that is nothing."""
    road: dict[str, Any] = {
        "transport": transport,
        "tls_fingerprint": tls_fingerprint,
        "tls_insecure": tls_insecure,
    }
    with exit_codes():
        if (url is None) == (onvif is None):
            typer.echo(f"camgate: {ONE_OF_TWO}\nTry 'camgate probe --help'.", err=True)
            raise typer.Exit(BAD_USAGE)
        found: dict[str, Any] = {}
        if url is None:
            assert onvif is not None
            user, password = login(
                os.environ, username=username, password_file=password_file, ask_password=_ask_password
            )
            look = trio.run(ask_camera, onvif_address(onvif), user, password)
            found = {"onvif": look.facts}
            if not as_json:
                show(look)
            settings = look.settings(road)
        else:
            settings = camera_settings(
                url,
                os.environ,
                username=username,
                password_file=password_file,
                ask_password=_ask_password,
                **road,
            )
        is_playable = _measure(settings, seconds, found, as_json=as_json)
    if not is_playable:
        raise typer.Exit(FAILED)


def _measure(settings: CameraSettings, seconds: float, found: dict[str, Any], *, as_json: bool) -> bool:
    """Look at the pictures, and print what was seen; returns whether a browser gets anything.

    found: what is known of the camera already, for JSON, which has it even where nothing can be measured.
    """
    if sys.stderr.isatty():
        typer.echo(f"measuring for {seconds:g} s…", err=True)
    try:
        result = trio.run(partial(look_at, settings, seconds=seconds))
        found |= result.facts()
    finally:
        if as_json and found:
            json.dump(found, sys.stdout, indent=2)
            typer.echo()
    if not as_json:
        found.pop("onvif", None)
        Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(_table(found))
    return result.is_playable


def _ask_password() -> str | None:
    """Ask without showing what is typed; return None where nobody sits at a terminal."""
    if not sys.stdin.isatty():
        return None
    password: str = typer.prompt("Password", default="", show_default=False, hide_input=True, err=True)
    return password


def _table(facts: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, value in facts.items():
        shown = value if isinstance(value, list) else ["unknown" if value is None else value]
        table.add_row(key.replace("_", " "), "\n".join(map(str, shown)))
    return table
