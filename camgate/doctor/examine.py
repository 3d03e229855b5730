"""The doctor's round: all checks, in the order in which one would mend things.

Slow ones (cameras, addresses, files of /proc) go side by side. A check that fails by a bug of its own is a row of the
table, and costs no other.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import trio

from camgate.base.log import get_logger
from camgate.config.address import split_listen
from camgate.config.errors import Problem
from camgate.config.exposure import exposures
from camgate.config.model import Settings
from camgate.config.state import state_directory
from camgate.doctor import certificates, clock, container, machine, network, outside, ports, reach, servers, versions
from camgate.doctor.cameras import look_at_cameras
from camgate.doctor.daemon import Server, Told, ask_all, trusting_context
from camgate.doctor.finding import FAILED, OK, WARNING, Finding
from camgate.doctor.ports import Port
from camgate.doctor.sockets import Bound, Holder, bound_sockets, holders_of
from camgate.serve.webrtc.addresses import local_addresses

log = get_logger("doctor")

CONFIG, RUNNING, CAMERAS = "Config", "Running camgate", "Cameras"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Whom the doctor looks at.

    settings: of the config; defaults where it is not in order, and then `problems` says why. file: its name; None where
    there is none. warnings: what `camgate check` warns of. with_outside: whether STUN and TURN servers may be asked.
    token: for a running camgate that wants one.
    """

    settings: Settings
    file: str | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    with_cameras: bool = True
    with_outside: bool = False
    token: str = field(default="", repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


@dataclass(slots=True)
class Examination:
    """What the round found, and what a running camgate told meanwhile."""

    findings: list[Finding]
    told: Told


async def examine(case: Case) -> Examination:
    """Look at everything."""
    settings = case.settings
    findings = judge_config(case)
    told = Told()
    if not case.problems:
        served = await _look_at_ports(case, findings)
        if served is not None:
            told = await _look_at_running(case, served, findings)
    findings += outside.look_outside(settings, local_addresses()) if not case.problems else []
    if not case.problems:
        findings += await _guarded_async(
            servers.SERVERS, lambda: servers.look_at_servers(settings, is_asked=case.with_outside)
        )
    findings += certificates.look_at_certificates(settings)
    findings += _machine(case)
    if not case.with_cameras:
        findings.append(Finding(CAMERAS, OK, "not looked at (--no-cameras)"))
    else:
        findings += await _guarded_async(CAMERAS, lambda: look_at_cameras(settings.cameras.values(), told))
    return Examination(findings, told)


def judge_config(case: Case) -> list[Finding]:
    """Say what is wrong with the config, a row for each mistake."""
    if case.problems:
        return [Finding(CONFIG, FAILED, str(problem)) for problem in case.problems]
    if case.file is None:
        return [Finding(CONFIG, WARNING, "there is none; the defaults are looked at", "camgate init writes one")]
    # Those of exposures have a row of their own.
    told = {f"{exposure.key}: {exposure}" for exposure in exposures(case.settings)}
    found = [
        Finding(CONFIG, WARNING, warning)
        for warning in case.warnings
        if not any(warning.startswith(each) for each in told)
    ]
    count = len(case.settings.cameras)
    return [Finding(CONFIG, OK, f"{case.file} is in order, {count} camera{'s' * (count != 1)}"), *found]


@dataclass(frozen=True, slots=True)
class Served:
    """Something that may be camgate has the port of the pages. holder: its process, where this user may see that."""

    holder: Holder | None


async def _look_at_ports(case: Case, findings: list[Finding]) -> Served | None:
    """Say who has the ports, and return who may be the camgate that serves pages."""
    wanted = ports.ports_of(case.settings)

    def look() -> tuple[dict[Port, list[Bound]], dict[int, Holder]]:
        sockets = bound_sockets()
        found = {port: ports.sockets_at(port, sockets) for port in wanted}
        return found, holders_of({each.inode for group in found.values() for each in group})

    found, holders = await trio.to_thread.run_sync(look)
    running = next((holder for holder in holders.values() if holder.is_camgate), None)
    served = None
    for port in wanted:
        refused = None if found[port] else ports.try_to_bind(port)
        finding = ports.judge_port(port, found[port], holders, refused, running)
        findings.append(finding)
        if port.name == ports.HTTP and found[port] and finding.verdict is not FAILED:
            served = Served(next((holders[each.inode] for each in found[port] if each.inode in holders), None))
    return served


def _token_for(case: Case, holder: Holder | None) -> str:
    """Return the token to show: none to a process of another user, who may only be waiting for one."""
    directory = state_directory(case.settings.server, case.environ)
    trusted = {0, os.geteuid()} | ({directory.stat().st_uid} if directory.exists() else set())
    return case.token if holder is None or holder.uid in trusted else ""


async def _look_at_running(case: Case, served: Served, findings: list[Finding]) -> Told:
    settings = case.settings
    host, port = split_listen(settings.server.listen)
    addresses = _addresses_of(host)
    # The certificate is judged by its file, and the addresses here are this machine's own.
    tls = trusting_context() if settings.server.tls_certificate else None
    server = Server(addresses[0], port, _host_header(settings, port), tls, token=_token_for(case, served.holder))
    knocks = await reach.knock_on_pages(server, addresses)
    findings.append(reach.judge_pages(port, knocks))
    if not any(knock.reply is reach.Reply.ANSWERED for knock in knocks):
        return Told()
    media = ["127.0.0.1", *local_addresses()]
    media_port = settings.webrtc.port
    findings.append(reach.judge_media(reach.MEDIA_UDP, media_port, await reach.knock_udp(media_port, media)))
    if settings.webrtc.tcp:
        findings.append(reach.judge_media(reach.MEDIA_TCP, media_port, await reach.knock_tcp(media_port, media)))
    told = await ask_all(server)
    if told.why_not:
        findings.append(Finding(RUNNING, OK, f"tells nothing of its cameras: {told.why_not}"))
    live = next((each["name"] for each in told.cameras or [] if each.get("state") == "live"), None)
    if live is not None:
        findings.append(await reach.try_to_join(server, live, media_port, media))
    return told


def _addresses_of(host: str) -> list[str]:
    """Return where a listener can be reached on this machine."""
    if host == "localhost":
        return ["127.0.0.1"]
    if host == "0.0.0.0":
        return ["127.0.0.1", *(address for address in local_addresses() if ":" not in address)]
    if host == "::":
        return ["::1", *local_addresses()]
    return [host]


def _host_header(settings: Settings, port: int) -> str:
    """Return a name that the running camgate goes by."""
    if settings.server.allowed_hosts:
        return settings.server.allowed_hosts[0]
    return f"localhost:{port}"


def _machine(case: Case) -> list[Finding]:
    settings = case.settings
    looks: Iterable[tuple[str, Callable[[], Finding | list[Finding]]]] = (
        (network.BUFFERS, network.look_at_buffers),
        (network.GSO, network.look_at_gso),
        (machine.FILES, lambda: machine.look_at_files(settings)),
        (machine.MEMORY, lambda: machine.look_at_memory(settings)),
        (machine.STATE, lambda: machine.look_at_state(settings, case.environ, is_needed=settings.auth.is_on)),
        (machine.LOG_DIRECTORY, lambda: machine.look_at_logs(settings.logging)),
        (clock.CLOCK, clock.look_at_clock),
        (clock.ZONE, clock.look_at_zone),
        (container.CONTAINER, lambda: container.look_at_container(settings, case.environ)),
        (versions.VERSIONS, versions.look_at_versions),
    )
    found: list[Finding] = []
    for check, look in looks:
        try:
            each = look()
        except Exception as error:
            found.append(_own_failure(check, error))
        else:
            found += each if isinstance(each, list) else [each]
    return found


async def _guarded_async(check: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await look()
    except Exception as error:
        return [_own_failure(check, error)]


def _own_failure(check: str, error: Exception) -> Finding:
    log.error("a check of the doctor's failed itself", check=check, exc_info=error)
    return Finding(check, WARNING, f"could not be looked at: {type(error).__name__}", "please report this")
