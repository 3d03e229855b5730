"""How the world sees our port: asked of STUN servers (RFC 8489) from the very socket that viewers send to.

Another socket of this machine would be given another mapping by its NAT. Asked at the start and again and again, as
addresses of homes change, and as some NATs let packets in only as long as packets go out. `PublicAddress.run` is one
task; the endpoint hands it the answers.
"""

import ipaddress
import secrets
import socket
from collections.abc import Callable, Sequence
from functools import partial

import trio

from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.serve.datagrams import Address
from camgate.wire.ice import stun
from camgate.wire.ice.servers import parse_ice_url

log = get_logger("webrtc.stun")

INTERVAL_S = 30.0
"""Between two questions: most NATs forget a way that was silent for 30 s to 5 min (RFC 4787 section 4.3 wants 2)."""
FIRST_REPEAT_S = 0.5
REPEATS = 4
"""A question is sent so often, each time after twice the wait: RFC 8489 section 6.2.1, but for 7.5 s only."""
RESOLVE_TIMEOUT_S = 5.0

SendTo = Callable[[bytes, Address], bool]
"""Sends a datagram from the viewers' port; False where it did not leave."""
Mapping = tuple[str, int]


class StunQuestions:
    """Questions to STUN servers that wait for their answers. Owned by the endpoint, which reads the socket."""

    def __init__(self, send: SendTo) -> None:
        self._send = send
        self._open: dict[bytes, tuple[Address, Callable[[Mapping | None], None]]] = {}

    @property
    def are_open(self) -> bool:
        """Whether any answer is waited for."""
        return bool(self._open)

    def receive_untrusted(self, message: stun.StunMessage, address: Address) -> None:
        """Take a Binding answer; what nobody has asked, or was asked of another, is dropped."""
        asked = self._open.get(message.transaction_id)
        if asked is not None and asked[0][:2] == address[:2]:
            asked[1](stun.read_mapped_address(message))

    async def ask(self, server: Address) -> Mapping | None:
        """Ask a server how it sees us; None when it does not say."""
        transaction_id = secrets.token_bytes(stun.TRANSACTION_ID_BYTES)
        answered, answers = trio.Event(), list[Mapping | None]()

        def take(mapping: Mapping | None) -> None:
            answers.append(mapping)
            answered.set()

        self._open[transaction_id] = (server, take)
        try:
            for repeat in range(REPEATS):
                if not self._send(stun.build_binding_query(transaction_id), server):
                    return None
                with trio.move_on_after(FIRST_REPEAT_S * 2**repeat):
                    await answered.wait()
                    return answers[0] if _is_usable(answers[0]) else None
        finally:
            del self._open[transaction_id]
        return None


def _is_usable(mapping: Mapping | None) -> bool:
    if mapping is None:
        return False
    address = ipaddress.ip_address(mapping[0])
    return not (address.is_unspecified or address.is_multicast) and mapping[1] > 0


class PublicAddress:
    """What the STUN servers of the config say.

    port: ours, known once the endpoint is bound.
    """

    def __init__(self, servers: Sequence[str], questions: StunQuestions, port: Callable[[], int]) -> None:
        self._servers = tuple(servers)
        self._questions = questions
        self._port = port
        self._mappings: tuple[Mapping, ...] = ()
        self._was_silent = False
        self._resolving = trio.CapacityLimiter(1)

    def addresses(self) -> list[str]:
        """Return the addresses by which we are seen, as far as it is known."""
        return list(dict.fromkeys(host for host, _ in self._mappings))

    def other_ports(self) -> list[Mapping]:
        """Return the address and port by which we are seen where the NAT gives us another port than our own."""
        return [mapping for mapping in self._mappings if mapping[1] != self._port()]

    async def run(self) -> None:
        """Ask again and again."""
        while True:
            await self.look()
            await trio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Ask all servers once, side by side."""
        found: dict[str, Mapping] = {}

        async def ask(url: str) -> None:
            server = await self._resolve(url)
            mapping = None if server is None else await self._questions.ask(server)
            if mapping is not None:
                found[url] = mapping

        async with trio.open_nursery() as nursery:
            for url in self._servers:
                nursery.start_soon(ask, url)
        self._take({url: found[url] for url in self._servers if url in found})

    def _take(self, found: dict[str, Mapping]) -> None:
        if not found:
            # What was known is most likely still so.
            if not self._was_silent:
                log.warning(
                    "no STUN server answers: viewers are not told of a public address that is newer",
                    servers=" ".join(self._servers),
                    known=" ".join(self.addresses()),
                )
            self._was_silent = True
            return
        mappings = tuple(dict.fromkeys(found.values()))
        if self._was_silent or mappings != self._mappings:
            self._tell(found)
        self._mappings, self._was_silent = mappings, False

    def _tell(self, found: dict[str, Mapping]) -> None:
        for url, (host, port) in found.items():
            log.info("STUN server sees our port", server=url, address=place(host, port))
        ports: dict[str, set[int]] = {}
        for host, port in found.values():
            ports.setdefault(host, set()).add(port)
        own = self._port()
        if any(len(seen) > 1 for seen in ports.values()):
            log.warning(
                f"the NAT gives each server another port, so viewers beyond it reach us only by a port that is "
                f"forwarded: forward UDP port {own}, or configure a TURN server; see docs/connectivity.md"
            )
        elif any(port != own for _, port in found.values()):
            log.warning(f"the NAT has another port for us: forward UDP port {own}; see docs/connectivity.md")

    async def _resolve(self, url: str) -> Address | None:
        parts = parse_ice_url(url)
        look_up = partial(socket.getaddrinfo, parts.host, parts.port, type=socket.SOCK_DGRAM)
        with trio.move_on_after(RESOLVE_TIMEOUT_S):
            try:
                found = await trio.to_thread.run_sync(look_up, abandon_on_cancel=True, limiter=self._resolving)
            except (OSError, ValueError):
                return None
            # IPv4 first: IPv6 has no NAT that would be worth asking about.
            family, *_, address = min(found, key=lambda each: each[0])
            host, port = str(address[0]), parts.port
            return (host, port) if family == socket.AF_INET else (host, port, 0, 0)
        return None
