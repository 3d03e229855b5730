"""`camgate doctor`: what stands in the way of pictures, and what to do about it."""

import json
import os
import time
from pathlib import Path
from typing import Annotated

import trio
import typer

from camgate.cli.api import TOKEN_VARIABLE, place_of, token_of_environment
from camgate.cli.check import warnings_of
from camgate.cli.consoles import table_console
from camgate.cli.exits import BAD_CONFIG, FAILED, exit_codes
from camgate.cli.options import ConfigFileOption
from camgate.config.errors import ConfigError, Problem
from camgate.config.load import find_config_file, load
from camgate.config.model import Settings
from camgate.doctor.bundle import Contents, last_log_lines, write_bundle
from camgate.doctor.examine import Case, examine
from camgate.doctor.finding import Finding, Verdict, worst_of
from camgate.doctor.login import own_token
from camgate.doctor.redact import register_secrets_in
from camgate.doctor.remote import examine_url
from camgate.doctor.report import as_json as json_of
from camgate.doctor.report import conclusion, table_of
from camgate.doctor.versions import versions


def doctor(
    config: ConfigFileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    no_cameras: Annotated[bool, typer.Option("--no-cameras", help="Leave the cameras alone.")] = False,
    outside: Annotated[
        bool, typer.Option("--outside", help="Also ask the configured STUN and TURN servers, beyond this machine.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help=f"Instead: look at a camgate elsewhere; {TOKEN_VARIABLE} is its token."),
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="NAME", help="For --url: which camera to join; else one that is live.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="FILE.tar.gz", help="Also write an archive for whoever helps: secrets are masked."),
    ] = None,
    hide_hosts: Annotated[
        bool, typer.Option("--hide-hosts", help="For --bundle: replace the cameras' addresses too.")
    ] = False,
) -> None:
    """Look for what stands in the way of pictures, and say what to do; exit code 1 where something has failed."""
    if hide_hosts and bundle is None:
        raise typer.BadParameter("is for --bundle", param_hint="--hide-hosts")
    if camera is not None and url is None:
        raise typer.BadParameter("is for --url", param_hint="--camera")
    if url is not None:
        if bundle is not None or config is not None:
            raise typer.BadParameter("looks at another machine, without config and archive", param_hint="--url")
        _look_at(url, camera, as_json=as_json)
        return
    with exit_codes():
        text = _text_of(config)
        if text is not None:
            register_secrets_in(text)
        case = _case(config, with_cameras=not no_cameras, with_outside=outside)
        examination = trio.run(examine, case)
        findings = examination.findings
        if bundle is not None:
            told = examination.told
            log = last_log_lines(case.settings.logging)
            contents = Contents(
                doctor=json_of(findings, versions()), config=text, log=log, server=told.server, cameras=told.cameras
            )
            write_bundle(bundle, contents, case.settings, hide_hosts=hide_hosts)
    _show(findings, as_json=as_json)
    if bundle is not None:
        typer.echo(f"wrote {bundle}; have a look at it before you send it to anybody", err=True)
    if case.problems:
        raise typer.Exit(BAD_CONFIG)
    _end(findings)


def _look_at(url: str, camera: str | None, *, as_json: bool) -> None:
    place_of(url)
    with exit_codes():
        findings = trio.run(examine_url, url, camera, token_of_environment())
    _show(findings, as_json=as_json)
    _end(findings)


def _show(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(json_of(findings, versions()), indent=2))
        return
    console = table_console()
    console.print(table_of(findings))
    typer.echo(f"\n{conclusion(findings)}")


def _end(findings: list[Finding]) -> None:
    if worst_of(findings) is Verdict.FAILED:
        raise typer.Exit(FAILED)


def _text_of(given: Path | None) -> str | None:
    """Return the config as it stands; None where it cannot be read, which is a finding of its own."""
    try:
        return find_config_file(given).read_text(encoding="utf-8-sig")
    except (ConfigError, OSError, UnicodeDecodeError):
        return None


def _case(given: Path | None, *, with_cameras: bool, with_outside: bool) -> Case:
    """Return what there is to look at: a config, a config with mistakes, or none."""
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
        with_outside=with_outside,
        token=token_of_environment() or own_token(settings, os.environ, time.time()),
    )
