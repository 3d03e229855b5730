"""`camgate token …`: give tokens away, and take them back."""

import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from camgate.auth.identity import Action, Grant
from camgate.auth.keys import KeyUnusable, load_or_make_key
from camgate.auth.revoked import REVOKED_FILE, Revoked
from camgate.auth.signing import Signer
from camgate.auth.tokens import MAX_LIFE_S, NewToken, id_of_untrusted, is_token_id, make_token, seconds_of
from camgate.auth.users import grants_of_user
from camgate.cli.commands import SETTINGS
from camgate.cli.exits import CONFIG_HELP, FAILED, exit_codes, refuse
from camgate.cli.patterns import covered, what_there_is
from camgate.config.checks import Wrong, pattern
from camgate.config.errors import ConfigError, Problem, StartError
from camgate.config.load import find_config_file, load
from camgate.config.model import CameraSettings, Settings
from camgate.config.state import KEY as STATE_KEY
from camgate.config.state import made_state_directory

STDIN = "-"
MAX_READ_CHARS = 16_384

token = typer.Typer(help="Tokens for tools, pages of other sites, and players.", **SETTINGS)


@token.callback(invoke_without_command=True)
def make(
    context: typer.Context,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Cameras that it is for: a name, front*, group:NAME; may be given again."),
    ] = None,
    action: Annotated[
        list[Action] | None, typer.Option(help="What it allows with them; may be given again.  [default: view]")
    ] = None,
    expires: Annotated[str, typer.Option(metavar="SPAN", help="When it ends: 90s, 30m, 12h or 7d from now.")] = "1h",
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A user of the config: it ends with the user, and allows no more than that."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help=CONFIG_HELP)] = None,
) -> None:
    """Print a token for some cameras. What it allows is told on stderr."""
    if context.invoked_subcommand is not None:
        return
    span_s = seconds_of(expires)
    if span_s is None:
        refuse("token", f"--expires is no span of time; write 90s, 30m, 12h or 7d, {MAX_LIFE_S / 86_400:.0f}d at most")
    if not camera and (user is None or action):
        refuse("token", "name cameras, with --camera front or --camera '*'; or a user alone, for all that the user may")
    patterns = _patterns(camera or [])
    with exit_codes():
        file = find_config_file(config)
        settings = load(file, os.environ)
        _check_user(settings, file, user)
        now_s = time.time()
        ends_s = now_s + span_s
        grants = None
        if patterns:
            grants = tuple(Grant(each, patterns) for each in dict.fromkeys(action or [Action.VIEW]))
        new = NewToken(grants=grants, ends_s=ends_s, user=user)
        text, token_id = make_token(Signer(_key(settings, file)), new, now_s)
    what = f"all that {user} may"
    if grants is not None:
        what = ", ".join(f"{each.action.value} {' and '.join(each.patterns)}" for each in grants)
    until = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(ends_s))
    # Another config can have another state directory, where nobody would look for what was revoked.
    where = f" --config {shlex.quote(str(file))}" if config is not None else ""
    revoke_it = f"camgate token revoke{where} {token_id}"
    typer.echo(f"camgate: allows {what}; until {until}; ends sooner by: {revoke_it}", err=True)
    for warning in _warnings(settings, user, grants or ()):
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(text)


@token.command()
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="As it was told when the token was made; - reads the token from stdin.")
    ],
    config: Annotated[Path | None, typer.Option("--config", "-c", help=CONFIG_HELP)] = None,
) -> None:
    """Take a token back: a running camgate cuts off whoever uses it within seconds."""
    if token_id == STDIN:
        found = id_of_untrusted(sys.stdin.readline(MAX_READ_CHARS).strip())
    else:
        # An argument can be read in the process list; what is there shall not be a token.
        found = token_id if is_token_id(token_id) else None
    if found is None:
        refuse(
            "token",
            "that is no id of a token: 16 digits from 0 to f, which camgate told when the token was made; "
            "or hand over the token itself by stdin, with -",
        )
    with exit_codes():
        file = find_config_file(config)
        settings = load(file, os.environ)
        directory = _directory(settings, file)
        if not Revoked(directory / REVOKED_FILE, time.time).add(found, time.time() + MAX_LIFE_S):
            raise typer.Exit(FAILED)
    typer.echo(f"camgate: revoked {found}", err=True)


def _patterns(given: list[str]) -> tuple[str, ...]:
    try:
        return tuple(pattern(each) for each in given)
    except Wrong as error:
        refuse("token", f"--camera {error}")


def _warnings(settings: Settings, user: str | None, grants: Iterable[Grant]) -> Iterator[str]:
    """Return what was asked for and does not come with the token: mostly a mistake in typing."""
    within = grants_of_user(settings.auth, user) if user is not None else None
    for grant in grants:
        for name in grant.patterns:
            one = Grant(grant.action, (name,))
            cameras = covered(one, settings)
            if not cameras:
                yield f"{name} covers no camera; {what_there_is(name, settings)}"
            elif within is not None and not _meet(within, one.action, cameras):
                yield f"{user} may not {one.action.value} {name}, so the token does not allow it either"


def _meet(grants: Iterable[Grant], action: Action, cameras: Iterable[CameraSettings]) -> bool:
    """Whether grants allow an action with any of some cameras."""
    return any(grant.covers(action, each.name, each.groups) for grant in grants for each in cameras)


def _check_user(settings: Settings, file: Path, user: str | None) -> None:
    if not settings.auth.is_on:
        sentence = "nobody needs a token, as there are no users; add one with `camgate user hash NAME`"
        raise ConfigError((Problem(str(file), sentence, key="auth"),))
    if user is not None and user not in settings.auth.users:
        raise ConfigError((Problem(str(file), "there is no such user", key=f"auth.users.{user}"),))


def _directory(settings: Settings, file: Path) -> Path:
    try:
        return made_state_directory(settings.server, os.environ)
    except StartError as error:
        raise ConfigError((Problem(str(file), error.sentence, key=error.key),)) from None


def _key(settings: Settings, file: Path) -> bytes:
    try:
        return load_or_make_key(_directory(settings, file))
    except KeyUnusable as error:
        sentence = f"{error}; run this as the user that camgate runs as"
        raise ConfigError((Problem(str(file), sentence, key=STATE_KEY),)) from None
