"""`camgate token …`: give tokens away, and take them back."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from camgate.auth.identity import Action, Grant
from camgate.auth.issued import ISSUED_FILE, Issued, IssuedToken, IssuedUnusable, grants_by_action
from camgate.auth.keys import KeyUnusable, load_or_make_key
from camgate.auth.revoked import REVOKED_FILE, Revoked
from camgate.auth.signing import Signer
from camgate.auth.tokens import MAX_LIFE_S, NewToken, id_of_untrusted, is_token_id, make_token, seconds_of
from camgate.auth.users import grants_of_user
from camgate.cli.commands import SETTINGS
from camgate.cli.completing import camera_names
from camgate.cli.exits import FAILED, exit_codes, refuse
from camgate.cli.options import ConfigFileOption
from camgate.cli.patterns import covered, what_there_is
from camgate.cli.state import config_option, directory_of, in_local_time, load_with_saved, print_table
from camgate.config.checks import Wrong, pattern
from camgate.config.errors import ConfigError, Problem
from camgate.config.load import find_config_file
from camgate.config.model import CameraSettings, Settings
from camgate.config.state import KEY as STATE_KEY

STDIN = "-"
MAX_READ_CHARS = 16_384

token = typer.Typer(help="Tokens for tools, pages of other sites, and players.", **SETTINGS)


Cameras = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Cameras that it is for: a name, front*, group:NAME; may be given again.",
        autocompletion=camera_names,
    ),
]
Actions = Annotated[
    list[Action] | None, typer.Option(help="What it allows with them; may be given again.", show_default="view")
]
Expires = Annotated[str, typer.Option(metavar="SPAN", help="When it ends: 90s, 30m, 12h or 7d from now.")]
User = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A user of the config: it ends with the user, and allows no more than that."),
]


@token.callback(invoke_without_command=True)
def make(
    context: typer.Context,
    camera: Cameras = None,
    action: Actions = None,
    expires: Expires = "1h",
    user: User = None,
    config: ConfigFileOption = None,
) -> None:
    """Print a token for some cameras. What it allows is told on stderr."""
    if context.invoked_subcommand is None:
        create(camera, action, expires, user, config)


@token.command()
def create(
    camera: Cameras = None,
    action: Actions = None,
    expires: Expires = "1h",
    user: User = None,
    config: ConfigFileOption = None,
) -> None:
    """The same as without `create`."""
    span_s = seconds_of(expires)
    if span_s is None:
        refuse("token", f"--expires is no span of time; write 90s, 30m, 12h or 7d, {MAX_LIFE_S / 86_400:.0f}d at most")
    if not camera and (user is None or action):
        refuse("token", "name cameras, with --camera front or --camera '*'; or a user alone, for all that the user may")
    patterns = _patterns(camera or [])
    with exit_codes():
        file = find_config_file(config)
        settings = load_with_saved(file)
        _check_user(settings, file, user)
        now_s = time.time()
        ends_s = now_s + span_s
        grants = None
        if patterns:
            grants = tuple(Grant(each, patterns) for each in dict.fromkeys(action or [Action.VIEW]))
        new = NewToken(grants=grants, ends_s=ends_s, user=user)
        text, token_id = make_token(Signer(_key(settings, file)), new, now_s)
        made = IssuedToken(token_id=token_id, made_s=now_s, ends_s=ends_s, user=user, grants=grants_by_action(grants))
        with _told_by_an_exit():
            _issued(settings, file).add(made)
    revoke_it = f"camgate token revoke{config_option(file, config)} {token_id}"
    typer.echo(
        f"camgate: allows {_allowed(made)}; until {in_local_time(ends_s)}; ends sooner by: {revoke_it}", err=True
    )
    for warning in _warnings(settings, user, grants or ()):
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(text)


@token.command("list")
def list_tokens(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigFileOption = None,
) -> None:
    """List the tokens whose time is not over; not the tokens themselves, which are kept nowhere."""
    with exit_codes(), _told_by_an_exit():
        file = find_config_file(config)
        settings = load_with_saved(file)
        tokens = _issued(settings, file).all()
        revoked = Revoked(directory_of(settings, file) / REVOKED_FILE, time.time)
    if as_json:
        facts = [{**each.facts(), "revoked": each.token_id in revoked} for each in tokens]
        typer.echo(json.dumps(facts, indent=2))
        return
    rows = (
        (each.token_id, each.user or "-", _allowed(each), _until(each, settings, is_revoked=each.token_id in revoked))
        for each in tokens
    )
    print_table(("id", "user", "allows", "until"), rows)


@token.command()
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="As it was told when the token was made; - reads the token from stdin.")
    ],
    config: ConfigFileOption = None,
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
        settings = load_with_saved(file)
        revoked = Revoked(directory_of(settings, file) / REVOKED_FILE, time.time)
        if not revoked.add(found, _end_of(found, settings, file)):
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


@contextmanager
def _told_by_an_exit() -> Iterator[None]:
    try:
        yield
    except IssuedUnusable as error:
        typer.echo(f"camgate: {error}", err=True)
        raise typer.Exit(FAILED) from None


def _issued(settings: Settings, file: Path) -> Issued:
    return Issued(directory_of(settings, file) / ISSUED_FILE, time.time)


def _end_of(token_id: str, settings: Settings, file: Path) -> float:
    """Return when a token ends. One that is not on the list, or made by an earlier version, may last as long as any."""
    with suppress(IssuedUnusable):
        for each in _issued(settings, file).all():
            if each.token_id == token_id:
                return each.ends_s
    return time.time() + MAX_LIFE_S


def _allowed(made: IssuedToken) -> str:
    """Return what a token allows, in words."""
    if made.grants is None:
        return f"all that {made.user} may"
    return ", ".join(f"{action} {' and '.join(patterns)}" for action, patterns in made.grants.items())


def _until(made: IssuedToken, settings: Settings, *, is_revoked: bool) -> str:
    if is_revoked:
        return "revoked"
    if made.user is not None and made.user not in settings.auth.users:
        return "ended with its user"
    return in_local_time(made.ends_s)


def _key(settings: Settings, file: Path) -> bytes:
    try:
        return load_or_make_key(directory_of(settings, file))
    except KeyUnusable as error:
        sentence = f"{error}; run this as the user that camgate runs as"
        raise ConfigError((Problem(str(file), sentence, key=STATE_KEY),)) from None
