"""`camgate share …`: share links, as the button on a camera's page makes them."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from camgate.auth.errors import SharingIsOff
from camgate.auth.identity import of_this_machine
from camgate.auth.shares import (
    MAX_LABEL_CHARS,
    MAX_SPAN_S,
    MIN_SPAN_S,
    SHARES_FILE,
    Shares,
    UnknownShare,
)
from camgate.auth.tokens import seconds_of
from camgate.base.names import composed
from camgate.cli.commands import SETTINGS
from camgate.cli.completing import camera_names
from camgate.cli.exits import FAILED, exit_codes, refuse
from camgate.cli.options import ConfigFileOption, is_web_address
from camgate.cli.state import config_option, directory_of, in_local_time, load_with_saved, print_table
from camgate.config.address import split_listen
from camgate.config.errors import ConfigError, Problem
from camgate.config.load import find_config_file
from camgate.config.model import Settings

MAKER = of_this_machine("the command line")

share = typer.Typer(help="Share links: one camera, for a while, for the first who opens it.", **SETTINGS)


@share.command()
def create(
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's name.", autocompletion=camera_names)],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long: 90s, 30m, 12h or 7d.")] = "1h",
    label: Annotated[str, typer.Option(help="Whom it is for, to know it again in the list.")] = "",
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where browsers find camgate.", show_default="by the config")
    ] = None,
    config: ConfigFileOption = None,
) -> None:
    """Print a link that shows a camera to the first browser that opens it."""
    span_s = seconds_of(span)
    if span_s is None or not MIN_SPAN_S <= span_s <= MAX_SPAN_S:
        most = f"{MIN_SPAN_S:.0f}s at least and {MAX_SPAN_S / 86_400:.0f}d at most"
        refuse("share create", f"--for is no span of time that a link may work for; write 30m, 12h or 7d, {most}")
    if len(label) > MAX_LABEL_CHARS or not label.isprintable():
        refuse("share create", f"--label has up to {MAX_LABEL_CHARS} characters that can be printed")
    if url is not None and not is_web_address(url):
        refuse("share create", "--url is no address of pages; write https://cams.example.org/")
    with exit_codes():
        settings, shares, file = _shares(config)
        camera = composed(camera)
        if camera not in settings.cameras:
            raise ConfigError((Problem(str(file), "there is no such camera", key=f"cameras.{camera}"),))
        made, secret = shares.make(camera, MAKER, time.time() + span_s, label)
        if made.share_id not in _kept(settings, file):
            # It could not be written down, which is logged: the link would lead nowhere.
            raise typer.Exit(FAILED)
    typer.echo(
        f"camgate: shows {camera} to the first browser that opens it, until {in_local_time(made.ends_s)}; "
        f"ends sooner by: camgate share revoke{config_option(file, config)} {made.share_id}",
        err=True,
    )
    typer.echo(f"{(url or _address(settings)).rstrip('/')}/share#{secret}")


@share.command("list")
def list_shares(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigFileOption = None,
) -> None:
    """List the links whose time is not over, those of the pages too."""
    with exit_codes():
        _, shares, _ = _shares(config)
        links = shares.all()
    if as_json:
        typer.echo(json.dumps([link.facts() for link in links], indent=2))
        return
    rows = (
        (
            link.share_id,
            link.camera,
            link.label or "-",
            link.by,
            in_local_time(link.ends_s),
            "no" if link.opened_s is None else in_local_time(link.opened_s),
        )
        for link in links
    )
    print_table(("id", "camera", "label", "made by", "until", "opened"), rows)


@share.command()
def revoke(
    share_id: Annotated[str, typer.Argument(metavar="ID", help="As it was told when the link was made, or listed.")],
    config: ConfigFileOption = None,
) -> None:
    """Take a link back: a running camgate cuts off whoever watches by it within seconds."""
    with exit_codes():
        settings, shares, file = _shares(config)
        try:
            shares.end(None, share_id)
        except UnknownShare:
            # It may be a link's secret, which is not for the terminal's scrollback.
            typer.echo(
                "camgate share: there is no such link any more; camgate share list shows those there are", err=True
            )
            raise typer.Exit(FAILED) from None
        if share_id in _kept(settings, file):
            raise typer.Exit(FAILED)
    typer.echo("camgate: revoked", err=True)


def _shares(config: Path | None) -> tuple[Settings, Shares, Path]:
    file = find_config_file(config)
    settings = load_with_saved(file)
    if not settings.auth.is_on:
        raise ConfigError((Problem(str(file), str(SharingIsOff()), key="auth"),))
    return settings, _kept(settings, file), file


def _kept(settings: Settings, file: Path) -> Shares:
    """Read the links that are written down. file: the config."""
    return Shares(directory_of(settings, file) / SHARES_FILE, time.time)


def _address(settings: Settings) -> str:
    """Return where browsers find the pages, as far as the config tells."""
    scheme = "https" if settings.server.tls_certificate else "http"
    host, port = split_listen(settings.server.listen)
    if settings.server.allowed_hosts:
        host = settings.server.allowed_hosts[0]
    elif host in ("0.0.0.0", "::"):
        host = "localhost"
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port == {"http": 80, "https": 443}[scheme] else f"{scheme}://{shown}:{port}"
