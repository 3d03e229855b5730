"""Whom an address counts for, where limits are by address."""

import ipaddress

IPV6_NETWORK_BITS = 64
"""A household has at least so large a network, and all its addresses for itself (RFC 6177)."""


def network_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 address; what is neither, as it is."""
    host = unmapped(host.partition("%")[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(address)


def unmapped(host: str) -> str:
    """Return an IPv4 address that is written as one of IPv6 (RFC 4291 section 2.5.5.2) as IPv4; all else as it is."""
    try:
        mapped = ipaddress.IPv6Address(host).ipv4_mapped
    except ValueError:
        return host
    return host if mapped is None else str(mapped)
