"""Nobody shows their cameras to the whole network by accident: who can reach the listeners."""

from collections.abc import Iterator
from dataclasses import dataclass

from camgate.base.log import get_logger
from camgate.config.address import is_loopback, split_listen
from camgate.config.errors import StartError
from camgate.config.model import Settings

log = get_logger("config.exposure")


@dataclass(frozen=True, slots=True)
class Exposure:
    """A listener that other machines can reach and that asks nobody for a password. key: what sets it."""

    key: str
    listen: str
    way_out: str
    """What to do about it, in words."""

    def __str__(self) -> str:
        return f"{self.listen} can be reached from other machines, and viewers are not asked for a password"


def exposures(settings: Settings) -> Iterator[Exposure]:
    """Return what can be reached from other machines without a password."""
    listen = settings.server.listen
    if _is_open(listen):
        port = split_listen(listen)[1]
        yield Exposure("server.listen", listen, f"listen on 127.0.0.1:{port} behind a proxy that asks for one")
    rtsp = settings.rtsp_server
    if rtsp.listen and _is_open(rtsp.listen) and not rtsp.users:
        port = split_listen(rtsp.listen)[1]
        way_out = f"add users as [rtsp_server.users.NAME] with password or ha1, listen on 127.0.0.1:{port}"
        yield Exposure("rtsp_server.listen", rtsp.listen, way_out)


def check_exposure(settings: Settings, *, insecure: bool) -> None:
    """Raise StartError for a listener beyond loopback; where the operator said `--insecure`, warn of it."""
    for exposure in exposures(settings):
        if not insecure:
            raise StartError(exposure.key, f"{exposure}; {exposure.way_out}, or allow it with --insecure")
        log.warning("everyone who reaches this address sees the cameras, without a password", listen=exposure.listen)


def _is_open(listen: str) -> bool:
    return not is_loopback(split_listen(listen)[0])
