"""Which of our addresses a viewer is told: the one it came by, the configured ones, and every usable local one."""

import ipaddress
from collections.abc import Iterable, Sequence

import ifaddr
import trio

from camgate.base.log import get_logger

log = get_logger("webrtc.addresses")

AUTO = "auto"
RESOLVE_TIMEOUT_S = 1.0
_BRIDGES = ("docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "lxc")
"""Interfaces of containers and virtual machines: a viewer elsewhere cannot reach them, and trying costs it time."""


def local_addresses() -> list[str]:
    """Return this machine's addresses that other machines may reach, IPv4 before IPv6."""
    found = []
    for adapter in ifaddr.get_adapters():
        if adapter.name.startswith(_BRIDGES):
            continue
        for ip in adapter.ips:
            found.append(ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]))
    usable = [a for a in found if not (a.is_loopback or a.is_link_local or a.is_unspecified or a.is_multicast)]
    return [str(address) for address in sorted(usable, key=lambda a: (a.version, found.index(a)))]


async def candidate_addresses(advertise: Sequence[str], host: str | None) -> list[str]:
    """Return the addresses for an answer, the most likely to work first.

    advertise: `auto` (local addresses), addresses or names, as configured. host: the name or address by which the
    viewer reached our HTTP port, which works behind port forwarding where local addresses do not.
    """
    wanted = [host] if host else []
    wanted += [entry for entry in advertise if entry != AUTO]
    addresses = [address for entry in wanted for address in await _resolve(entry)]
    if AUTO in advertise:
        addresses += local_addresses()
    return list(dict.fromkeys(addresses)) or ["127.0.0.1"]


async def _resolve(entry: str) -> Iterable[str]:
    try:
        return [str(ipaddress.ip_address(entry.strip("[]").partition("%")[0]))]
    except ValueError:
        pass
    with trio.move_on_after(RESOLVE_TIMEOUT_S):
        try:
            found = await trio.socket.getaddrinfo(entry, None, type=trio.socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            log.debug("name does not resolve, no candidate from it", name=entry)
        else:
            return [str(result[4][0]).partition("%")[0] for result in found]
    return []
