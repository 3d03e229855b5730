"""Notices when this machine gets or loses an address: a cable, a VPN, a new lease.

The kernel says so on a netlink socket (rtnetlink(7)); where there is none to be had, the addresses are looked at now
and then. The caller's task does both.
"""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress

import trio

from camgate.base.log import get_logger

log = get_logger("webrtc.interfaces")

RTMGRP_IPV4_IFADDR = 0x10  # linux/rtnetlink.h
RTMGRP_IPV6_IFADDR = 0x100
MAX_MESSAGE_BYTES = 65_536
SETTLE_S = 0.2
"""Changes come in swarms: an address that goes takes others with it, one of IPv6 is tentative at first."""
POLL_INTERVAL_S = 5.0


async def watch_interfaces(changed: Callable[[], None]) -> None:
    """Call `changed` soon after any address may have come or gone, until cancelled."""
    events = open_events()
    if events is not None:
        with events, suppress(OSError):
            await _follow(events, changed)
        log.warning("no more netlink events, addresses are looked at every few seconds")
    while True:
        await trio.sleep(POLL_INTERVAL_S)
        changed()


async def _follow(events: socket.socket, changed: Callable[[], None]) -> None:
    """Raises OSError where the socket is of no more use."""
    while True:
        await trio.lowlevel.wait_readable(events)
        await trio.sleep(SETTLE_S)
        _drain(events)
        changed()


def open_events() -> socket.socket | None:
    """Open a socket that becomes readable with each change; None where the system does not permit it."""
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            sock.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        except OSError:
            sock.close()
            raise
    except (OSError, AttributeError) as error:
        log.debug("no netlink, addresses are looked at every few seconds", error=str(error))
        return None
    return sock


def _drain(sock: socket.socket) -> None:
    """Read all that has come; what it says in detail is left to a look at the addresses."""
    while True:
        try:
            sock.recv(MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            # netlink(7): ENOBUFS says that some were lost.
            if error.errno != errno.ENOBUFS:
                raise
