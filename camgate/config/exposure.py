"""Nobody shows their cameras to the whole network by accident: who can reach the listeners."""

from collections.abc import Iterator
from dataclasses import dataclass

from camgate.base.log import get_logger
from camgate.config.address import is_loopback, split_listen
from camgate.config.errors import CONFIG_FILE, StartError
from camgate.config.model import Settings

log = get_logger("config.exposure")

ADD_ADMIN = f"""These two lines ask for a password, write its hash into the config, and start:
  camgate user hash admin --role admin >> {CONFIG_FILE}
  camgate run --config {CONFIG_FILE}"""
ENCRYPT = "set server.tls_certificate (`camgate cert --self-signed` makes one), or use a proxy with TLS or a VPN"
ADD_RECORDER = f"""With these two lines in {CONFIG_FILE} the password in a file beside it is asked for:
  [rtsp_server.users.recorder]
  password_file = "recorder.password\""""

OPEN_METRICS = f"""If everybody there may know that, say so with these two lines in {CONFIG_FILE}:
  [metrics]
  open = true"""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A listener that other machines can reach and that asks nobody for a password. key: what sets it.

    remedy: two lines for the config, and what to do with them. in_short: the same in a few words.
    """

    key: str
    listen: str
    in_short: str
    remedy: str
    danger: str = "viewers are not asked for a password"

    def __str__(self) -> str:
        return f"{self.listen} can be reached from other machines, and {self.danger}"

    @property
    def way_out(self) -> str:
        """What to do about it instead."""
        return f"listen on 127.0.0.1:{split_listen(self.listen)[1]}"


def exposures(settings: Settings) -> Iterator[Exposure]:
    """Return what can be reached from other machines without a password."""
    listen = settings.server.listen
    if _is_open(listen) and not settings.auth.is_on:
        yield Exposure("server.listen", listen, "add a user ([auth.users.NAME])", ADD_ADMIN)
    metrics = settings.metrics
    if metrics.listen and _is_open(metrics.listen) and not settings.auth.is_on and not metrics.open:
        danger = "shows how all cameras are to everybody there"
        yield Exposure("metrics.listen", metrics.listen, "write metrics.open = true", OPEN_METRICS, danger)
    rtsp = settings.rtsp_server
    takes_tokens = bool(rtsp.tls_certificate) and settings.auth.is_on
    if rtsp.listen and _is_open(rtsp.listen) and not rtsp.users and not takes_tokens:
        yield Exposure("rtsp_server.listen", rtsp.listen, "add a user ([rtsp_server.users.NAME])", ADD_RECORDER)


def passwords_in_clear(settings: Settings) -> str | None:
    """Return that logins can be read on the way, where they can; a proxy that is listed is taken to speak TLS."""
    server = settings.server
    if not settings.auth.is_on or server.tls_certificate or server.trusted_proxies or not _is_open(server.listen):
        return None
    return f"{server.listen} is plain HTTP: passwords and sessions can be read on the way"


def is_open_behind_proxy(settings: Settings) -> bool:
    """Whether a proxy brings in people whom nobody here asks for a password; the proxy may."""
    return bool(settings.server.trusted_proxies) and not settings.auth.is_on


def check_exposure(settings: Settings, *, insecure: bool) -> None:
    """Raise StartError for a listener beyond loopback; where the operator said `--insecure`, warn of it."""
    if not insecure:
        refuse_exposure(settings)
    for exposure in exposures(settings):
        log.warning("everyone who reaches this address sees the cameras, without a password", listen=exposure.listen)
    if is_open_behind_proxy(settings):
        proxies = ", ".join(settings.server.trusted_proxies)
        log.warning("everyone who reaches the proxy sees the cameras, unless it asks for a password", proxies=proxies)


def refuse_exposure(settings: Settings) -> None:
    """Raise StartError for a listener beyond loopback that asks nobody for a password."""
    for exposure in exposures(settings):
        sentence = f"{exposure}; {exposure.way_out}, or allow it with --insecure"
        raise StartError(exposure.key, sentence, exposure.remedy)


def _is_open(listen: str) -> bool:
    return not is_loopback(split_listen(listen)[0])
