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

from camgate.base.secrets import mask
from camgate.cli.exits import FAILED, exit_codes
from camgate.config.arguments import PASSWORD_VARIABLE, camera_settings
from camgate.ingest.probe import ProbeResult
from camgate.ingest.probe import probe as look_at


def probe(
    url: Annotated[str, typer.Argument(metavar="URL", help="rtsp://HOST[:PORT]/PATH, or rtsps://…")],
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
    with exit_codes():
        settings = camera_settings(
            url,
            os.environ,
            username=username,
            password_file=password_file,
            ask_password=_ask_password,
            transport=transport,
            tls_fingerprint=tls_fingerprint,
            tls_insecure=tls_insecure,
        )
        if sys.stderr.isatty():
            typer.echo(f"measuring for {seconds:g} s…", err=True)
        result = trio.run(partial(look_at, settings, seconds=seconds))
    facts = _facts(result)
    if as_json:
        json.dump(facts, sys.stdout, indent=2)
        typer.echo()
    else:
        Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(_table(facts))
    if not result.is_playable:
        raise typer.Exit(FAILED)


def _ask_password() -> str | None:
    """Ask without showing what is typed; return None where nobody sits at a terminal."""
    if not sys.stdin.isatty():
        return None
    password: str = typer.prompt("Password", default="", show_default=False, hide_input=True, err=True)
    return password


def _facts(result: ProbeResult) -> dict[str, Any]:
    """Return what was found, rounded, in the order in which people ask for it."""
    video = result.format
    return {
        "browser": result.browser,
        "sound": result.sound,
        "address": result.address,
        "transport": result.transport,
        "server": mask(result.server),
        "tracks": [track.label for track in result.tracks],
        "codec": video and video.codec,
        "profile": video and video.profile,
        **({"profile_level_id": video.profile_level_id} if video and video.profile_level_id else {}),
        "level": video and video.level,
        "width": video and video.width,
        "height": video and video.height,
        "fps": _rounded(result.measured_fps, 2),
        "claimed_fps": video and video.fps,
        "bitrate_bps": _rounded(result.bitrate_bps, 0),
        "gop_frames": result.gop_frames,
        "gop_s": _rounded(result.gop_s, 3),
        "frames": result.frames,
        "packets_lost": result.packets_lost,
        "measured_s": _rounded(result.measured_s, 3),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits or None)


def _table(facts: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, value in facts.items():
        shown = value if isinstance(value, list) else ["unknown" if value is None else value]
        table.add_row(key.replace("_", " "), "\n".join(map(str, shown)))
    return table
