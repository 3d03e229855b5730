"""The ports that the config asks for: does camgate listen there, or could it, or is somebody else in the way."""

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from camgate.base.place import place
from camgate.config.address import split_listen
from camgate.config.model import Settings
from camgate.doctor.finding import FAILED, OK, WARNING, Finding
from camgate.doctor.sockets import Bound, Holder

HTTP = "HTTP port"
WILDCARDS = {"0.0.0.0", "::"}


@dataclass(frozen=True, slots=True)
class Port:
    """A port that the config asks for. name: of what it is for. key: that sets it. protocol: `tcp` or `udp`."""

    name: str
    key: str
    protocol: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{place(self.host, self.port)} ({self.protocol.upper()})"


def ports_of(settings: Settings) -> list[Port]:
    """Return the ports that camgate listens on; those that it may choose itself are left out."""
    server, rtsp = settings.server, settings.rtsp_server
    media = [
        Port("WebRTC port, " + protocol.upper(), "webrtc.port", protocol, "0.0.0.0", settings.webrtc.port)
        for protocol in ("udp", "tcp")
        if protocol == "udp" or settings.webrtc.tcp
    ]
    found = [
        _listener(HTTP, "server.listen", server.listen),
        _listener("Redirect port", "server.redirect_listen", server.redirect_listen),
        _listener("Metrics port", "metrics.listen", settings.metrics.listen),
        *media,
        _listener("RTSP port", "rtsp_server.listen", rtsp.listen),
    ]
    return [each for each in found if each is not None and each.port]


def _listener(name: str, key: str, listen: str) -> Port | None:
    if not listen:
        return None
    host, port = split_listen(listen)
    return Port(name, key, "tcp", "127.0.0.1" if host == "localhost" else host, port)


def sockets_at(port: Port, sockets: Iterable[Bound]) -> list[Bound]:
    """Return the sockets that have a port, or that are in its way."""
    return [
        each
        for each in sockets
        if (each.protocol, each.port) == (port.protocol, port.port)
        and (each.address == port.host or {each.address, port.host} & WILDCARDS)
    ]


def try_to_bind(port: Port) -> OSError | None:
    """Return why a port cannot be had; None where it can."""
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    try:
        with socket.socket(family, kind) as sock:
            if port.protocol == "tcp":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((port.host, port.port))
    except OSError as error:
        return error
    return None


def judge_port(
    port: Port, found: list[Bound], holders: Mapping[int, Holder], refused: OSError | None, running: Holder | None
) -> Finding:
    """Say who has a port.

    found: the sockets that have it. refused: why it could not be bound, where nobody has it. running: a camgate that
    has another of the config's ports.
    """
    if not found:
        return _judge_free(port, refused, running)
    known = [holders[each.inode] for each in found if each.inode in holders]
    others = [holder for holder in known if not holder.is_camgate]
    if others:
        return Finding(port.name, FAILED, f"{port} is taken by {others[0]}", f"end that, or write another {port.key}")
    if known:
        if port.host in WILDCARDS and not any(each.address in WILDCARDS for each in found):
            what = f"{known[0]} listens on {found[0].address} only, and not on {port}"
            return Finding(port.name, FAILED, what, "restart camgate: the config has changed since its start")
        return Finding(port.name, OK, f"{known[0]} listens on {port}")
    what = f"{port} is taken by a process of another user, perhaps camgate's service"
    return Finding(
        port.name, OK if running else WARNING, what, "run camgate doctor as root, or as camgate's user, to see"
    )


def _judge_free(port: Port, refused: OSError | None, running: Holder | None) -> Finding:
    if refused is not None:
        return Finding(port.name, FAILED, f"{port} cannot be bound: {refused.strerror}", _way_out(port, refused))
    if running is not None:
        to_do = "restart camgate, if the config has changed since its start; else see its log"
        return Finding(port.name, FAILED, f"{running} does not listen on {port}", to_do)
    return Finding(port.name, OK, f"{port} is free, as camgate does not run")


def _way_out(port: Port, refused: OSError) -> str:
    if refused.errno == errno.EACCES and port.port < 1024 and os.geteuid():
        return "AmbientCapabilities=CAP_NET_BIND_SERVICE in the service, or a port from 1024 on"
    if refused.errno == errno.EADDRNOTAVAIL:
        return f"write an address of this machine in {port.key}"
    return f"write another {port.key}"
