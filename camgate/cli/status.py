"""`camgate status`: what the camgate that runs does, as a live screen, a table or a document."""

import json
import ssl
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import trio
import typer
from rich.console import Console

from camgate.base.secrets import mask, register_secret
from camgate.base.unanswered import no_camgate
from camgate.cli.api import (
    NO_TOKEN,
    TOKEN_VARIABLE,
    ConfigOption,
    NotThere,
    SocketOption,
    find_socket,
    is_token,
    place_of,
    token_of_environment,
)
from camgate.cli.consoles import table_console
from camgate.cli.exits import BAD_USAGE, FAILED, exit_codes, refuse
from camgate.tui import words
from camgate.tui.facts import Camera, read_camera, read_process
from camgate.tui.link import CAMERAS, SERVER, VIEWERS, Target, Unreachable, open_link
from camgate.tui.once import document_of, table_of

MAX_TOKEN_BYTES = 16_384  # more than a header has room for


def status(
    once: Annotated[bool, typer.Option("--once", help="Print a table and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and end, for scripts.")] = False,
    socket: SocketOption = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help=f"Instead: a camgate elsewhere; {TOKEN_VARIABLE} is a token for it."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For --url: a file with the token; - is stdin.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Show what cameras and viewers do; exit code 1 where a camera is down, 2 where camgate does not answer."""
    with exit_codes():
        target = _target(socket, url, token_file, config)
        try:
            if once or as_json:
                _look(target, as_json=as_json)
            else:
                _watch(target)
        except Unreachable as error:
            typer.echo(mask(f"camgate status: {error}"), err=True)
            raise typer.Exit(BAD_USAGE) from None


def _look(target: Target, *, as_json: bool) -> None:
    cameras, told_cameras, told_process, told_viewers = trio.run(_ask, target)
    if as_json:
        typer.echo(json.dumps(document_of(cameras, told_cameras, told_process, told_viewers), indent=2))
    else:
        console = table_console()
        if cameras:
            console.print(table_of(cameras))
        console.print(words.of_cameras(cameras))
        console.print(words.of_process(read_process(told_process)))
    if any(camera.is_down for camera in cameras):
        raise typer.Exit(FAILED)


async def _ask(target: Target) -> tuple[list[Camera], list[Any], Any, Any]:
    """Return the cameras, and what is told of them, of camgate itself and of viewers."""
    async with open_link(target) as link:
        told = await link.ask(CAMERAS)
        now_s = time.monotonic()
        cameras = [read_camera(each, now_s) for each in told] if isinstance(told, list) else [None]
        known = [camera for camera in cameras if camera is not None]
        if cameras and not known:
            raise Unreachable(no_camgate(target.name))
        # Who may only view is told neither of the machine nor of others.
        return known, told, await link.ask_if_allowed(SERVER), await link.ask_if_allowed(VIEWERS)


def _watch(target: Target) -> None:
    from camgate.tui.board import Board
    from camgate.tui.live import run_live

    console = Console(markup=False, highlight=False, emoji=False)
    if not (console.is_terminal and sys.stdin.isatty()) or console.is_dumb_terminal:
        refuse("status", "the live screen needs a terminal; --once and --json do not")

    async def watch() -> None:
        async with open_link(target) as link:
            # What is wrong from the beginning is said in a line, and not on a screen.
            await link.ask(CAMERAS)
            await run_live(link, Board(target.name), console, sys.stdin.fileno())

    trio.run(watch)


def _target(socket: Path | None, url: str | None, token_file: Path | None, config: Path | None) -> Target:
    """Return where to ask: as the options say, else the control socket."""
    if socket is not None and url is not None:
        raise typer.BadParameter("is instead of --socket", param_hint="--url")
    if token_file is not None and url is None:
        raise typer.BadParameter("is for --url", param_hint="--token-file")
    if url is not None:
        return _elsewhere(url, _given_token(token_file))
    try:
        path = find_socket(socket, config)
    except NotThere as not_there:
        refuse("status", str(not_there))
    return Target(str(path), path)


def _elsewhere(url: str, token: str) -> Target:
    there = place_of(url)
    # Trusts what this machine does, and what SSL_CERT_FILE names; else the token would be anybody's in between.
    tls = ssl.create_default_context() if there.is_protected else None
    return Target(there.header, None, there.host, there.port, tls, there.header, there.root, token)


def _given_token(file: Path | None) -> str:
    """Return the token of a file or of the environment; an argument could be read by every user of the machine."""
    if file is None:
        return token_of_environment()
    token = _read_token(file)
    register_secret(token)
    return token


def _read_token(file: Path) -> str:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            token = stream.read(MAX_TOKEN_BYTES).decode("ascii").strip()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="--token-file") from None
    except UnicodeDecodeError:
        token = ""
    if not is_token(token):
        raise typer.BadParameter(f"{file} {NO_TOKEN}", param_hint="--token-file")
    return token
