"""`discover`: ask the network by WS-Discovery who is a camera, and gather what answers within some seconds.

Multicast goes out of the addresses that the caller names, or of all of this machine's own that can: one socket each,
so that answers come back to the interface that was asked. Loopback is asked only by name.
"""

import fcntl
import ipaddress
import socket
import struct
import uuid
from dataclasses import dataclass, replace

import ifaddr
import trio

from camgate.base.errors import LocalError
from camgate.base.log import get_logger
from camgate.wire.onvif.discovery import (
    IPV4_GROUP,
    IPV6_GROUP,
    PORT,
    Match,
    parse_matches_untrusted,
    probe_message,
    service_place_untrusted,
)
from camgate.wire.onvif.errors import OnvifError

REPEAT_S = 0.5
"""The Probe goes out twice, as datagrams get lost (SOAP-over-UDP appendix I); cameras answer within half a second."""

MAX_ANSWERS = 5000
"""Datagrams read from one interface: two from each camera of a large site, and an end for whoever floods."""

MAX_CAMERAS = 2000

_SIOCGIFFLAGS = 0x8913
_IFF_UP, _IFF_LOOPBACK, _IFF_MULTICAST = 0x1, 0x8, 0x1000

log = get_logger("ingest.discovery")


class NoSuchInterface(LocalError):
    """An address is none of this machine's own."""

    def __str__(self) -> str:
        return "is no address of this machine"


@dataclass(frozen=True, slots=True)
class Interface:
    """One own address that multicast can leave from.

    address: IPv6 link-local ones without `%…`. index: of the network interface, for IPv6.
    """

    address: str
    index: int

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.address


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A device that answered: what it says of itself, and the address that the answer came from."""

    match: Match
    address: str

    @property
    def onvif(self) -> str:
        """What `camgate probe --onvif` takes; empty where the camera names no HTTP address."""
        return service_place_untrusted(self.match.xaddrs, self.address)


@dataclass(frozen=True, slots=True)
class Discovery:
    """cameras: in the order of their addresses. asked: own addresses. failed: those that could not send, and why."""

    cameras: list[FoundCamera]
    asked: list[str]
    failed: list[tuple[str, str]]


def own_interfaces() -> list[Interface]:
    """Return this machine's own addresses that multicast can leave from, without loopback."""
    return [each for name, each in _addresses() if _can_multicast(name) and _is_worth_asking(each)]


def interface_of(address: str) -> Interface:
    """Return the interface that has an address of this machine. Raises NoSuchInterface."""
    wanted, _, scope = address.strip("[]").partition("%")
    for name, each in _addresses():
        if ipaddress.ip_address(each.address) == _parsed(wanted) and scope in ("", name, str(each.index)):
            return each
    raise NoSuchInterface(address)


async def discover(interfaces: list[Interface], *, timeout_s: float, port: int = PORT) -> Discovery:
    """Ask for cameras and listen for `timeout_s` seconds."""
    search = _Search(port)
    with trio.move_on_after(timeout_s):
        async with trio.open_nursery() as nursery:
            for interface in interfaces:
                nursery.start_soon(search.ask, interface)
            nursery.start_soon(trio.sleep_forever)
    cameras = sorted(search.cameras.values(), key=_by_address)
    return Discovery(cameras, [each.address for each in interfaces], search.failed)


class _Search:
    """Folds the answers of all interfaces: who is reached by several ways, or answers twice, is one camera."""

    def __init__(self, port: int) -> None:
        self.cameras: dict[str, FoundCamera] = {}
        self.failed: list[tuple[str, str]] = []
        self._port = port
        self._message_id = f"urn:uuid:{uuid.uuid4()}"

    async def ask(self, interface: Interface) -> None:
        """Send the Probe from one address, twice, and read answers until cancelled."""
        try:
            with _open(interface) as ours:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._send, ours, interface)
                    await self._read(ours)
        except* OSError as errors:
            [error] = errors.exceptions[:1]
            words = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self.failed.append((interface.address, words))

    async def _send(self, ours: trio.socket.SocketType, interface: Interface) -> None:
        target = (IPV6_GROUP, self._port, 0, interface.index) if interface.is_ipv6 else (IPV4_GROUP, self._port)
        message = probe_message(self._message_id)
        await ours.sendto(message, target)
        await trio.sleep(REPEAT_S)
        await ours.sendto(message, target)

    async def _read(self, ours: trio.socket.SocketType) -> None:
        for _ in range(MAX_ANSWERS):
            data, sender = await ours.recvfrom(65535)
            try:
                matches = parse_matches_untrusted(data, self._message_id)
            except OnvifError as error:
                log.debug("no answer of a camera", sender=sender[0], reason=str(error))
                continue
            for match in matches:
                self._fold(FoundCamera(match, sender[0]))

    def _fold(self, found: FoundCamera) -> None:
        key = found.match.endpoint or found.address
        known = self.cameras.get(key)
        if known is None:
            if len(self.cameras) < MAX_CAMERAS:
                self.cameras[key] = found
            return
        xaddrs = tuple(dict.fromkeys(known.match.xaddrs + found.match.xaddrs))[: 2 * len(known.match.xaddrs) + 16]
        # An IPv4 address is easier to type than a link-local one of IPv6.
        address = found.address if ":" in known.address and ":" not in found.address else known.address
        self.cameras[key] = FoundCamera(replace(known.match, xaddrs=xaddrs), address)


def _open(interface: Interface) -> trio.socket.SocketType:
    """Open a socket whose multicast leaves from an interface and goes no further than the local network."""
    family = socket.AF_INET6 if interface.is_ipv6 else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if interface.is_ipv6:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.index)
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
            raw.bind((interface.address, 0, 0, interface.index))
        else:
            raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface.address))
            # WS-Discovery section 2.4: the hop limit is 1.
            raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            raw.bind((interface.address, 0))
    except OSError:
        raw.close()
        raise
    return trio.socket.from_stdlib_socket(raw)


def _addresses() -> list[tuple[str, Interface]]:
    """Return the name of the network interface and the address, for every address of this machine."""
    return [
        (adapter.name, Interface(ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip, adapter.index or 0))
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]


def _can_multicast(name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sH14x", name.encode()[:15], 0))
        except OSError:
            return False
    (flags,) = struct.unpack_from("H", answer, 16)
    return bool(flags & _IFF_UP and flags & _IFF_MULTICAST and not flags & _IFF_LOOPBACK)


def _is_worth_asking(interface: Interface) -> bool:
    # ff02::c is link-local, and is sent from the link-local address (RFC 4291 section 2.7).
    return not interface.is_ipv6 or ipaddress.ip_address(interface.address).is_link_local


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _by_address(camera: FoundCamera) -> tuple[bool, bytes]:
    address = ipaddress.ip_address(camera.address.partition("%")[0])
    return address.version == 6, address.packed
