"""Whom an address counts for, where limits are by address."""

import ipaddress

IPV6_NETWORK_BITS = 64
"""A household has at least so large a network, and all its addresses for itself (RFC 6177)."""


def network_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 address; what is neither, as it is."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
        address = address.ipv4_mapped
    return str(address)
