"""`camgate doctor`: what stands in the way of pictures, and what to do about it."""

import json
import os
from pathlib import Path
from typing import Annotated

import trio
import typer
from rich.console import Console

from camgate.base.secrets import register_secret
from camgate.cli.check import warnings_of
from camgate.cli.exits import BAD_CONFIG, FAILED, exit_codes
from camgate.config.errors import ConfigError, Problem
from camgate.config.load import find_config_file, load
from camgate.config.model import Settings
from camgate.doctor.examine import Case, examine
from camgate.doctor.finding import Verdict, worst_of
from camgate.doctor.report import as_json as json_of
from camgate.doctor.report import conclusion, table_of
from camgate.doctor.versions import versions

LEAST_WIDTH = 80
TOKEN_VARIABLE = "CAMGATE_TOKEN"


def doctor(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Config file  [default: /etc/camgate/camgate.toml, else ./camgate.toml]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    no_cameras: Annotated[bool, typer.Option("--no-cameras", help="Leave the cameras alone.")] = False,
) -> None:
    """Look for what stands in the way of pictures, and say what to do; exit code 1 where something has failed."""
    with exit_codes():
        case = _case(config, with_cameras=not no_cameras)
        examination = trio.run(examine, case)
    findings = examination.findings
    if as_json:
        typer.echo(json.dumps(json_of(findings, versions()), indent=2))
    else:
        console = Console(markup=False, highlight=False, emoji=False)
        console.width = max(console.width, LEAST_WIDTH)
        console.print(table_of(findings))
        typer.echo(f"\n{conclusion(findings)}")
    if case.problems:
        raise typer.Exit(BAD_CONFIG)
    if worst_of(findings) is Verdict.FAILED:
        raise typer.Exit(FAILED)


def _case(given: Path | None, *, with_cameras: bool) -> Case:
    """Return what there is to look at: a config, a config with mistakes, or none."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    register_secret(token)
    file = None
    problems: tuple[Problem, ...] = ()
    settings = Settings(cameras={})
    try:
        file = find_config_file(given)
        settings = load(file, os.environ)
    except ConfigError as error:
        if file is not None or given is not None:
            problems = error.problems
    return Case(
        settings=settings,
        file=str(file) if file else None,
        problems=problems,
        warnings=tuple(warnings_of(settings)) if file and not problems else (),
        with_cameras=with_cameras,
        token=token,
    )
