"""Nobody shows their cameras to the whole network by accident: who can reach the listeners."""

from camgate.base.log import get_logger
from camgate.config.address import is_loopback, split_listen
from camgate.config.errors import StartError
from camgate.config.model import ServerSettings

log = get_logger("config.exposure")

KEY = "server.listen"


def exposure(server: ServerSettings) -> str | None:
    """Return in words what can be reached from other machines without a password, None where nothing can."""
    host, _ = split_listen(server.listen)
    if is_loopback(host):
        return None
    return f"{server.listen} can be reached from other machines, and viewers are not asked for a password"


def check_exposure(server: ServerSettings, *, insecure: bool) -> None:
    """Raise StartError for a listener beyond loopback; where the operator said `--insecure`, warn of it."""
    exposed = exposure(server)
    if exposed and insecure:
        log.warning("everyone who reaches this address sees the cameras, without a password", listen=server.listen)
    elif exposed:
        _, port = split_listen(server.listen)
        ways_out = f"listen on 127.0.0.1:{port} behind a proxy that asks for one, or allow it with --insecure"
        raise StartError(KEY, f"{exposed}; {ways_out}")
