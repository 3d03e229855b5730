"""Listening sockets that the service manager has opened before us (sd_listen_fds(3)): known as socket activation.

It may open ports that we may not, and while we are started anew connections wait in them and are not refused.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from camgate.base.log import get_logger
from camgate.config.address import split_listen

log = get_logger("serve.inherited")

FIRST = 3
"""The descriptor of the first one."""
PID_VARIABLE, COUNT_VARIABLE = "LISTEN_PID", "LISTEN_FDS"


class Inherited:
    """Those that nobody has taken yet."""

    def __init__(self, sockets: list[socket.socket] | None = None) -> None:
        self._sockets = sockets or []

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inherited":
        """Return what this process was given. What cannot be listened on is said in the log and closed."""
        if environ.get(PID_VARIABLE) != str(os.getpid()):
            return cls()
        count = environ.get(COUNT_VARIABLE, "")
        sockets = []
        for descriptor in range(FIRST, FIRST + int(count) if count.isdecimal() else FIRST):
            try:
                # Workers are started with what they need and no more.
                os.set_inheritable(descriptor, False)
                one = socket.socket(fileno=descriptor)
            except OSError as error:  # a FIFO or a file (ListenFIFO=, OpenFile=), or nothing at all
                reason = os.strerror(error.errno or 0)
                log.warning(f"what systemd handed over is left alone: {reason}", descriptor=descriptor)
                with suppress(OSError):
                    os.close(descriptor)
                continue
            if wrong := _misfit(one):
                one.close()
                log.warning(f"a socket that systemd handed over is left alone: {wrong}", descriptor=descriptor)
            else:
                sockets.append(one)
        return cls(sockets)

    def take(self, listen: str) -> list[socket.socket]:
        """Return those that are open where `HOST:PORT` says: of `[::]` also the one of 0.0.0.0."""
        host, port = split_listen(listen)
        hosts = {"::", "0.0.0.0"} if host == "::" else {host}
        taken = [one for one in self._sockets if port and _is_at(one, hosts, port)]
        self._sockets = [one for one in self._sockets if one not in taken]
        return taken

    def close(self) -> None:
        """Close those that nobody took, and say so: somebody waits for an answer there."""
        for one in self._sockets:
            host, port = one.getsockname()[:2]
            log.warning("systemd handed over a socket where no key of the config listens", address=host, port=port)
            one.close()
        self._sockets = []


def _misfit(one: socket.socket) -> str:
    """Say why a socket cannot be used; empty where it can."""
    is_internet = one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM
    if not is_internet or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "it is none of TCP that listens (ListenStream=ADDRESS:PORT)"
    if one.family == socket.AF_INET6 and not one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        # All clients by IPv4 would be of one /64 network, and share what one address may do.
        return (
            "it takes IPv4 as well as IPv6; let it have BindIPv6Only=ipv6-only, and 0.0.0.0 a ListenStream= of its own"
        )
    return ""


def _is_at(one: socket.socket, hosts: set[str], port: int) -> bool:
    own_host, own_port = one.getsockname()[:2]
    return own_port == port and any(_same(own_host, host) for host in hosts)


def _same(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False  # a name: nobody knows which of its addresses is meant
