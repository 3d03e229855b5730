"""Where a listener listens: `HOST:PORT` split, and who can reach it."""

import ipaddress
import re

_LISTEN = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%a-z]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})")


def split_listen(listen: str) -> tuple[str, int]:
    """Split `ADDRESS:PORT`, `[IPV6]:PORT` or `localhost:PORT`. Raises ValueError for all else.

    Names other than localhost are refused: which of a name's addresses is meant would be a guess.
    """
    match = _LISTEN.fullmatch(listen)
    if match is None:
        raise ValueError("is not ADDRESS:PORT")
    host, port = match["ipv6"] or match["host"], int(match["port"])
    if port > 65535:
        raise ValueError(f"names port {port}, which does not exist")
    if match["ipv6"]:
        ipaddress.IPv6Address(host)
    elif host != "localhost":
        ipaddress.IPv4Address(host)
    return host, port


def is_loopback(host: str) -> bool:
    """Whether an address (or `localhost`) is reached from this machine only."""
    if host == "localhost":
        return True
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback
