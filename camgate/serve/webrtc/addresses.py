"""Which of our addresses a viewer is told: the one it came by, the configured ones, and every usable local one."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import ifaddr
import trio

from camgate.base.log import get_logger
from camgate.config.model import AUTO, STUN

log = get_logger("webrtc.addresses")

RESOLVE_TIMEOUT_S = 1.0
RESOLVE_THREADS = 4
REMEMBERED_S = 10.0
"""How long an address that is gone may still be offered."""
MAX_NAMES = 256
"""Names remembered; viewers reach us by a few."""
_BRIDGES = ("docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "lxc")
"""Interfaces of containers and virtual machines: a viewer elsewhere cannot reach them, and trying costs it time."""


def local_addresses() -> list[str]:
    """Return this machine's addresses that other machines may reach, IPv4 before IPv6.

    Raises OSError, which a process without free descriptors gets.
    """
    found = []
    for adapter in ifaddr.get_adapters():
        if adapter.name.startswith(_BRIDGES):
            continue
        for ip in adapter.ips:
            found.append(ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]))
    usable = [a for a in found if not (a.is_loopback or a.is_link_local or a.is_unspecified or a.is_multicast)]
    return [str(address) for address in sorted(usable, key=lambda a: (a.version, found.index(a)))]


class AddressBook:
    """Knows the addresses for answers, and remembers them for a while: finding them costs more than an answer does.

    advertise: `auto` (local addresses), `stun` (those by which STUN servers see us), addresses or names, as configured.
    public: gives what `stun` stands for at the moment.
    """

    def __init__(self, advertise: Sequence[str], public: Callable[[], list[str]] = list) -> None:
        self._advertise = tuple(advertise)
        self._public = public
        self._local: list[str] = []
        self._local_until_s = float("-inf")
        self._names: dict[str, tuple[float, list[str]]] = {}
        self._unresolved: set[str] = set()  # of `advertise`, and told to the operator
        # Not Trio's threads: whoever asks for names of a slow server would take those that cameras are dialled with.
        self._resolving = trio.CapacityLimiter(RESOLVE_THREADS)

    async def candidates(self, host: str | None) -> list[str]:
        """Return the addresses for an answer, the most likely to work first.

        host: the name or address by which the viewer reached our HTTP port, which works behind port forwarding where
        local addresses do not.
        """
        wanted = [host] if host else []
        wanted += [entry for entry in self._advertise if entry != AUTO]
        addresses = [address for entry in wanted for address in await self._resolve(entry)]
        if AUTO in self._advertise:
            addresses += self._local_addresses()
        return list(dict.fromkeys(addresses)) or ["127.0.0.1"]

    def look_again(self) -> None:
        """Take what local addresses there are now, and tell of what has changed since the last look."""
        if AUTO not in self._advertise:
            return
        before = self._local
        try:
            now = local_addresses()
        except OSError as error:
            log.warning("cannot look at this machine's addresses, those that are known hold", error=error.strerror)
            return
        was_known = self._local_until_s > float("-inf")
        self._local, self._local_until_s = now, trio.current_time() + REMEMBERED_S
        if was_known and set(now) != set(before):
            came = [address for address in now if address not in before]
            gone = [address for address in before if address not in now]
            log.info("this machine's addresses have changed", came=" ".join(came), gone=" ".join(gone))

    def _local_addresses(self) -> list[str]:
        now = trio.current_time()
        if now >= self._local_until_s:
            with suppress(OSError):
                self._local, self._local_until_s = local_addresses(), now + REMEMBERED_S
        return self._local

    async def _resolve(self, entry: str) -> list[str]:
        if entry == STUN and entry in self._advertise:
            return self._public()
        try:
            return [str(ipaddress.ip_address(entry.strip("[]").partition("%")[0]))]
        except ValueError:
            pass
        now = trio.current_time()
        until_s, addresses = self._names.get(entry, (now, []))
        if now >= until_s:
            addresses = await self._look_up(entry)
            self._tell_operator(entry, is_resolved=bool(addresses))
            if addresses:
                self._names.pop(entry, None)
                self._names[entry] = (now + REMEMBERED_S, addresses)
            while len(self._names) > MAX_NAMES:
                del self._names[next(iter(self._names))]
        return addresses

    def _tell_operator(self, entry: str, *, is_resolved: bool) -> None:
        """Warn once of each name in the config that does not resolve; viewers may name any host they like."""
        if is_resolved:
            self._unresolved.discard(entry)
        elif entry in self._advertise and entry not in self._unresolved:
            self._unresolved.add(entry)
            log.warning("a name of webrtc.advertise does not resolve; viewers are not told of it", name=entry)

    async def _look_up(self, name: str) -> list[str]:
        look_up = partial(socket.getaddrinfo, name, None, type=socket.SOCK_DGRAM)
        with trio.move_on_after(RESOLVE_TIMEOUT_S):
            try:
                found = await trio.to_thread.run_sync(look_up, abandon_on_cancel=True, limiter=self._resolving)
            except (OSError, ValueError):
                log.debug("name does not resolve, no candidate from it", name=name)
            else:
                return [str(result[4][0]).partition("%")[0] for result in found]
        return []
