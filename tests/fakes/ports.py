"""Ports for who must be told one before it listens there."""

import random
import socket
from contextlib import ExitStack, suppress

BELOW_EPHEMERAL = range(20_000, 32_000)
"""Linux gives none of these to who asks for any port (net.ipv4.ip_local_port_range begins at 32768), so that nobody
takes one between here and its use: no test beside this one, no connection that goes out."""
_UNTRIED = iter(random.sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL)))


def free_port() -> int:
    """A port that nobody has and that was not returned before, neither by TCP nor by UDP, on any address."""
    for port in _UNTRIED:
        with ExitStack() as stack, suppress(OSError):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", port))
            return port
    raise RuntimeError("every port has been tried")
