"""`camgate check`: is a config in order, and what would run with it."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from camgate.auth.identity import Action, Grant
from camgate.base.log_file import why_unwritable
from camgate.base.secrets import MASK, mask
from camgate.cli.exits import exit_codes, refuse
from camgate.cli.options import CONFIG_HELP, CONFIG_PLACES
from camgate.cli.patterns import covered, what_there_is
from camgate.config.errors import key_in_words
from camgate.config.exposure import ENCRYPT, exposures, is_open_behind_proxy, passwords_in_clear, refuse_exposure
from camgate.config.load import find_config_file, load
from camgate.config.model import (
    AUTO,
    BUILT_IN_ROLES,
    STUN,
    AuthSettings,
    CameraSettings,
    LoggingSettings,
    RtspServerSettings,
    Settings,
)
from camgate.config.schema import CAMERAS
from camgate.config.twins import twin_in_words, twins

LEAST_WIDTH = 80
NAME_WIDTH, URL_WIDTH = 12, 32
"""So many characters stay on one line in a terminal of 80."""
TITLES_WIDTH = 100
"""A terminal narrower than this has no room for titles."""
RESOLVE_TIMEOUT_S = 2.0
DEFAULT_LINGER_S = CameraSettings(name="", url="").linger_s


def check(
    file: Annotated[Path | None, typer.Argument(help=CONFIG_HELP, show_default=CONFIG_PLACES)] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The same, as for the other commands.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="As for `camgate run`: listening beyond this machine needs no password.")
    ] = False,
) -> None:
    """Say what is wrong with a config file, line by line, or what would run with it."""
    if file is not None and config is not None:
        refuse("check", "name one config file")
    with exit_codes():
        file = find_config_file(file or config)
        settings = load(file, os.environ)
    with exit_codes(file):
        if not insecure:
            refuse_exposure(settings)
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.width = max(console.width, LEAST_WIDTH)
    console.print(f"{file} is in order.\n")
    console.print(_parts(settings))
    if settings.cameras:
        console.print(_cameras(settings.cameras.values(), console.width))
    else:
        console.print("No cameras yet.")
    for warning in warnings_of(settings):
        typer.echo(f"warning: {warning}", err=True)


def warnings_of(settings: Settings) -> Iterator[str]:
    """Return what is in order as text, and will not work as it stands, on this machine and for this user."""
    for exposure in exposures(settings):
        remedies = f"{exposure.in_short}, {exposure.way_out}, or `camgate run` will want --insecure"
        yield f"{exposure.key}: {exposure}; {remedies}"
    if in_clear := passwords_in_clear(settings):
        yield f"server.listen: {in_clear}; {ENCRYPT}"
    if is_open_behind_proxy(settings):
        yield "server.trusted_proxies: the proxy lets everybody in, unless it asks for a password itself; add a user"
    yield from _idle_patterns(settings)
    yield from _ill_certificates(settings)
    for camera in settings.cameras.values():
        yield from _contradictions(camera)
    for pair in twins(settings.cameras):
        yield f"{twin_in_words(pair)}; leave one of them out"
    for index, name in enumerate(settings.webrtc.advertise):
        if name not in (AUTO, STUN) and not _resolves(name.strip("[]")):
            yield f"webrtc.advertise[{index}]: {name} does not resolve; viewers will not be told of it"
    directory = settings.logging.directory
    if settings.logging.output != "console" and (reason := why_unwritable(directory)):
        yield f"logging.directory: this user cannot write in {directory.absolute()}: {reason}"


def _idle_patterns(settings: Settings) -> Iterator[str]:
    """Return patterns of roles that cover no camera, which a typing mistake does."""
    for name, role in settings.auth.roles.items():
        for action in Action if name not in BUILT_IN_ROLES else ():
            for index, pattern in enumerate(getattr(role, action.value)):
                grant = Grant(action, (pattern,))
                if not covered(grant, settings):
                    key = key_in_words(("auth", "roles", name, action.value, index))
                    yield f"{key}: covers no camera; {what_there_is(pattern, settings)}"


def _ill_certificates(settings: Settings) -> Iterator[str]:
    """Return certificates that cannot be used, or not for long, or not under the names that are configured."""
    if not (settings.server.tls_certificate or settings.rtsp_server.tls_certificate):
        return
    from camgate.doctor.certificates import look_at_certificate, places  # most configs name no certificate
    from camgate.doctor.finding import FAILED, WARNING

    for place in places(settings):
        finding = look_at_certificate(place)
        if finding.verdict in (FAILED, WARNING):
            yield f"{place.key}: {finding.what}; {finding.to_do}"


def _contradictions(camera: CameraSettings) -> Iterator[str]:
    """Return what is said of a camera and means nothing beside what else is said of it."""
    # Its sub-stream, which is connected on demand, lingers as long as the camera says.
    if camera.linger_s != DEFAULT_LINGER_S and not camera.on_demand and camera.sub is None:
        key = key_in_words((CAMERAS, camera.name, "linger_s"))
        yield f"{key}: has no effect, as the camera is always connected; add on_demand = true, or leave it out"
    gap_s = 1 / camera.expected_fps if camera.expected_fps else 0.0
    if gap_s >= camera.stall_timeout_s:
        key = key_in_words((CAMERAS, camera.name, "stall_timeout_s"))
        yield f"{key}: is no longer than the {gap_s:.3g} s between two frames (expected_fps); choose a longer one"


def _resolves(name: str) -> bool:
    import trio  # a sixth of this command's time, and most configs name no names

    async def look_up() -> bool:
        with trio.move_on_after(RESOLVE_TIMEOUT_S), suppress(OSError, ValueError):
            await trio.socket.getaddrinfo(name, None)
            return True
        return False

    return trio.run(look_up)


def _parts(settings: Settings) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row(
        "HTTPS" if settings.server.tls_certificate else "HTTP",
        f"{settings.server.listen}, {settings.server.max_viewers} viewers at most",
    )
    road = "UDP and TCP" if settings.webrtc.tcp else "UDP"
    table.add_row("WebRTC", f"{road} port {settings.webrtc.port}, advertised: {', '.join(settings.webrtc.advertise)}")
    table.add_row("Users", _users_in_words(settings.auth))
    table.add_row("RTSP", _rtsp_in_words(settings.rtsp_server))
    table.add_row("Log", _log_in_words(settings.logging))
    return table


def _users_in_words(settings: AuthSettings) -> str:
    if not settings.is_on:
        return "none: whoever reaches the pages sees and does everything"
    return ", ".join(f"{user.name} ({', '.join(user.roles)})" for user in settings.users.values())


def _rtsp_in_words(settings: RtspServerSettings) -> str:
    if not settings.listen:
        return "no server"
    ways = "TLS" if settings.tls_certificate else "TCP and UDP" if settings.udp else "TCP"
    count = len(settings.users)
    users = f"{count} user{'s' * (count != 1)}" if count else "no password"
    return f"{settings.listen}, {ways}, {users}, {settings.max_clients} clients at most"


def _log_in_words(settings: LoggingSettings) -> str:
    if settings.output == "console":
        return f"console, from {settings.level} on"
    return f"{settings.output}, from {settings.level} on, in {settings.directory.absolute()}"


def _cameras(cameras: Iterable[CameraSettings], width: int) -> Table:
    with_subs = [each for main in cameras for each in (main, main.sub) if each is not None]
    urls = [mask(camera.url) for camera in with_subs]
    has_titles = width >= TITLES_WIDTH and any(camera.title for camera in with_subs)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    # Only what is long itself is folded: an address in pieces cannot be read or copied.
    table.add_column("Camera", overflow="fold", no_wrap=max(len(camera.name) for camera in with_subs) <= NAME_WIDTH)
    table.add_column("URL", overflow="fold", no_wrap=max(map(len, urls)) <= URL_WIDTH)
    table.add_column("Login", overflow="fold")
    for heading in ("Transport", "Connected"):
        table.add_column(heading, no_wrap=True)
    if has_titles:
        table.add_column("Title", overflow="fold")
    for camera, url in zip(with_subs, urls, strict=True):
        connected = "on demand" if camera.on_demand else "always"
        row = [camera.name, url, _login_in_words(camera), camera.transport.value, connected, camera.title or ""]
        table.add_row(*row[: len(table.columns)])
    return table


def _login_in_words(camera: CameraSettings) -> str:
    if not (camera.username or camera.password):
        return "none"
    return f"{mask(camera.username or '')} {MASK if camera.password else '(no password)'}".strip()
