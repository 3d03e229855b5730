"""`camgate discover`: which cameras are on the local network, by WS-Discovery."""

import json
import sys
from functools import partial
from typing import Annotated, Any

import trio
import typer
from rich.console import Console
from rich.table import Table

from camgate.cli.exits import FAILED, exit_codes
from camgate.config.errors import ConfigError, Problem
from camgate.ingest.discovery import Discovery, FoundCamera, Interface, NoSuchInterface, interface_of, own_interfaces
from camgate.ingest.discovery import discover as ask_network
from camgate.wire.rtsp.errors import printable

CHECK = (
    "Check that the cameras are on the same network as this machine (multicast does not pass routers, VPNs, guest "
    "Wi-Fi or a container's own network), that ONVIF and discovery are turned on in their menus, and that no firewall "
    "drops UDP from port 3702. A camera that does not answer here may do so to `camgate probe --onvif HOST`."
)

COLUMNS = ("name", "hardware", "location", "address", "onvif")


def discover(
    timeout: Annotated[float, typer.Option(min=0.1, max=60, help="How long to wait for answers, in seconds.")] = 3.0,
    interface: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Ask only from this address of this machine. Default: all that can multicast."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the cameras on this network that speak ONVIF; exit code 1 where none answers."""
    with exit_codes():
        interfaces = own_interfaces() if interface is None else [_interface(interface)]
        if sys.stderr.isatty():
            typer.echo(f"listening for {timeout:g} s…", err=True)
        found = trio.run(partial(ask_network, interfaces, timeout_s=timeout))
        rows = [_facts(camera) for camera in found.cameras]
        if as_json:
            json.dump(rows, sys.stdout, indent=2)
            typer.echo()
        elif rows:
            Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(_table(rows))
            typer.echo("\nLook at one with `camgate probe --onvif ADDRESS`, as in the column onvif.", err=True)
        for line in in_words(found):
            typer.echo(f"camgate: {line}", err=True)
    if not rows:
        raise typer.Exit(FAILED)


def _interface(address: str) -> Interface:
    try:
        return interface_of(address)
    except NoSuchInterface as error:
        known = ", ".join(each.address for each in own_interfaces()) or "127.0.0.1"
        raise ConfigError((Problem("camgate", f"{error}; write one of {known}", key="--interface"),)) from None


def _facts(camera: FoundCamera) -> dict[str, Any]:
    match = camera.match
    return {
        "name": printable(match.name),
        "hardware": printable(match.hardware),
        "location": printable(match.location),
        "address": camera.address,
        "onvif": camera.onvif,
        "endpoint": printable(match.endpoint),
        "xaddrs": [printable(xaddr) for xaddr in match.xaddrs],
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(row[column] for column in COLUMNS))
    return table


def in_words(found: Discovery) -> list[str]:
    """Say what could not be asked, and what to check where nothing answered."""
    lines = [f"could not ask from {address}: {reason}" for address, reason in found.failed]
    if found.cameras:
        return lines
    if not found.asked:
        return [
            "this machine has no address that multicast can leave from; bring a network up, or name one: --interface"
        ]
    if len(found.failed) < len(found.asked):
        lines.append(f"no camera answered on {', '.join(found.asked)}. {CHECK}")
    return lines
