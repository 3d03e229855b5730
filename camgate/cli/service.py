"""`camgate service …`: camgate as a service of systemd, for who has installed it with pip."""

import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from camgate.base.secrets import mask
from camgate.cli.commands import SETTINGS
from camgate.cli.exits import FAILED, exit_codes
from camgate.service.install import (
    UNIT,
    CannotInstall,
    Place,
    Step,
    check_booted,
    check_program,
    check_root,
    check_system,
    own_program,
    run,
    steps_to_install,
    steps_to_uninstall,
)

service = typer.Typer(help="Make camgate a service of systemd, and see how it does.", no_args_is_help=True, **SETTINGS)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Root = Annotated[
    Path, typer.Option(metavar="DIR", help="The tree of another system, such as an image that is being made.")
]
SHOWN = ("LoadState", "ActiveState", "SubState", "UnitFileState", "StatusText", "ActiveEnterTimestamp", "NRestarts")


@service.command()
def install(
    hardware_encoders: Annotated[
        bool, typer.Option("--hardware-encoders", help="Let it use hardware that encodes, for transcode.hardware.")
    ] = False,
    udp_buffers: Annotated[
        bool, typer.Option("--udp-buffers", help="Have the kernel give UDP more room, for bursts of key frames.")
    ] = False,
    root: Root = Path("/"),
    dry_run: DryRun = False,
) -> None:
    """Have this camgate start with the machine, as a user of its own, watched by systemd."""
    place = Place(root.absolute())
    with _told("install"):
        check_root(place)
        program = own_program()
        if place.is_here:
            check_program(program, Path(sys.prefix), Path(sys.base_prefix))
        if not dry_run:
            check_system(place, user_id=os.geteuid())
        steps = steps_to_install(place, program, encoders=hardware_encoders, buffers=udp_buffers)
        _do(steps, dry_run=dry_run)
        if not dry_run:
            typer.echo("\n".join(_next(place, program)))


@service.command()
def uninstall(root: Root = Path("/"), dry_run: DryRun = False) -> None:
    """Stop and remove the service. Config, state, logs and the user `camgate` stay."""
    place = Place(root.absolute())
    with _told("uninstall"):
        check_root(place)
        if not dry_run:
            check_system(place, user_id=os.geteuid())
        if not _do(steps_to_uninstall(place), dry_run=dry_run):
            typer.echo(f"there is no {place.unit}, so nothing is to be done")


@service.command()
def status() -> None:
    """Say how the service does; exit code 1 when it does not run."""
    with _told("status"):
        check_booted()
        shown = run(("systemctl", "show", UNIT, f"--property={','.join(SHOWN)}"))
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    for line in describe(facts):
        typer.echo(mask(line))
    if facts.get("ActiveState") not in ("active", "reloading"):
        raise typer.Exit(FAILED)


def describe(facts: dict[str, str]) -> Iterator[str]:
    """Say in lines what systemd knows. facts: properties of the unit by name."""
    if facts.get("LoadState") == "not-found":
        yield "camgate is no service here; `camgate service install` makes it one"
        return
    yield f"{facts.get('ActiveState', 'unknown')} ({facts.get('SubState', 'unknown')})"
    if text := facts.get("StatusText"):
        yield text
    if since := facts.get("ActiveEnterTimestamp"):
        yield f"since {since}"
    if (restarts := facts.get("NRestarts", "0")) != "0":
        yield f"started anew by systemd: {restarts} times; `journalctl -u camgate` tells why"
    if facts.get("UnitFileState") != "enabled":
        yield "does not start with the machine; `systemctl enable camgate` has it"


def _next(place: Place, program: Path) -> Iterator[str]:
    """Say what is left to do."""
    if not place.is_here:
        yield f"camgate starts with that system, once there is {place.config}, readable for its group camgate."
        return
    file = shlex.quote(str(place.config))
    yield "camgate starts with the machine. Now:"
    if not place.config.exists():
        yield f"  {shlex.quote(str(program))} init {file}"
    yield f"  chgrp camgate {file} && chmod 640 {file}"
    yield "  systemctl start camgate"


def _do(steps: Iterable[Step], *, dry_run: bool) -> int:
    """Say and do all steps; returns how many there were."""
    # All that may stand against it is looked for before the first step.
    planned = list(steps)
    for step in planned:
        typer.echo(f"would {step}" if dry_run else str(step))
        if not dry_run:
            step.do()
    return len(planned)


@contextmanager
def _told(command: str) -> Iterator[None]:
    with exit_codes():
        try:
            yield
        except CannotInstall as error:
            typer.echo(mask(f"camgate service {command}: {error}"), err=True)
            raise typer.Exit(FAILED) from None
