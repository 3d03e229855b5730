"""Is a running camgate reached at each address of this machine: pages, and media like a viewer's.

camgate's UDP port answers to nobody but viewers, so that strangers learn nothing from it and cannot turn it against
others. Two things tell more: a port without a listener is refused by the kernel (ICMP), which silence is not. And
where a camera is live, the doctor joins it like a browser, as far as the ICE checks, which are then answered; then it
leaves.
"""

import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import quote

import trio

from camgate.base.errors import RemoteError
from camgate.base.place import place
from camgate.bench.signaling import Access, SignalingFailed, build_offer, parse_answer_untrusted
from camgate.doctor.daemon import NoAnswer, Server
from camgate.doctor.finding import FAILED, OK, WARNING, Finding, many
from camgate.ingest.connect import connect
from camgate.wire.ice import stun

PAGES, MEDIA_TCP, MEDIA_UDP, JOIN = "Pages reached", "Media by TCP", "Media by UDP", "Joining a camera"
REFUSAL_WAIT_S = 0.3
"""On this machine the kernel refuses at once."""
CHECK_TRIES, CHECK_WAIT_S = 8, 0.25
CONNECT_TIMEOUT_S = 3.0
MAX_CANDIDATES = 32
"""Of an answer; more are not looked at."""
_PRIORITY = (110 << 24) | 0xFFFFFF  # RFC 8445 section 5.1.2.2: peer-reflexive
_FINGERPRINT = ":".join(["00"] * 32)
"""Of no certificate: the doctor never gets as far as DTLS."""


class Reply(Enum):
    """What came of knocking at a port."""

    ANSWERED = auto()
    SILENT = auto()
    """As it should be of UDP, to a stranger."""
    REFUSED = auto()
    UNREACHABLE = auto()


@dataclass(frozen=True, slots=True)
class Knock:
    """An address, and what came of knocking there. why: in words, where that says more."""

    address: str
    reply: Reply
    why: str = ""


async def knock_on_pages(server: Server, addresses: Iterable[str]) -> list[Knock]:
    """Ask for /healthz at each address."""

    async def knock(address: str) -> Knock:
        there = Server(address, server.port, server.host, server.tls, server.root)
        try:
            answer = await there.ask("GET", "/healthz")
        except NoAnswer as error:
            return Knock(address, Reply.UNREACHABLE, error.reason)
        said = answer.json()
        if isinstance(said, dict) and said.get("status") == "alive":
            return Knock(address, Reply.ANSWERED)
        why = "another program answers" if answer.status == 200 else f"it answers {answer.status} to /healthz"
        return Knock(address, Reply.REFUSED, why)

    return await _side_by_side(knock, addresses)


def judge_pages(port: int, knocks: list[Knock]) -> Finding:
    """Say where the pages are reached."""
    missed = [knock for knock in knocks if knock.reply is not Reply.ANSWERED]
    if not missed:
        return Finding(PAGES, OK, f"camgate answers at {_places(knocks, port)}")
    reasons = ", ".join(f"{place(knock.address, port)} ({knock.why})" for knock in missed[:4])
    to_do = "look for a firewall on this machine, or another program on that port"
    return Finding(PAGES, FAILED, f"no answer of camgate at {reasons}", to_do)


async def knock_tcp(port: int, addresses: Iterable[str]) -> list[Knock]:
    """Connect to a port at each address."""

    async def knock(address: str) -> Knock:
        with trio.move_on_after(CONNECT_TIMEOUT_S):
            try:
                connection = await connect(address, port)
            except OSError as error:
                return Knock(address, Reply.REFUSED, _reason(error))
            connection.close()
            return Knock(address, Reply.ANSWERED)
        return Knock(address, Reply.UNREACHABLE, f"no answer within {CONNECT_TIMEOUT_S:g} s")

    return await _side_by_side(knock, addresses)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


async def knock_udp(port: int, addresses: Iterable[str]) -> list[Knock]:
    """Send a STUN request without a user name to each address: silence is right, a refusal is not."""
    request = bytes.fromhex("00010000") + stun.MAGIC_COOKIE.to_bytes(4, "big") + secrets.token_bytes(12)

    async def knock(address: str) -> Knock:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with trio.socket.socket(family, socket.SOCK_DGRAM) as sock, trio.move_on_after(REFUSAL_WAIT_S):
            try:
                await sock.connect((address, port))
                await sock.send(request)
                await sock.recv(stun.MAX_MESSAGE_BYTES)
            except OSError as error:
                return Knock(address, Reply.REFUSED, _reason(error))
            return Knock(address, Reply.ANSWERED)
        return Knock(address, Reply.SILENT)

    return await _side_by_side(knock, addresses)


async def _side_by_side(knock: Callable[[str], Awaitable[Knock]], addresses: Iterable[str]) -> list[Knock]:
    found: dict[str, Knock | None] = dict.fromkeys(addresses)

    async def keep(address: str) -> None:
        found[address] = await knock(address)

    async with trio.open_nursery() as nursery:
        for address in found:
            nursery.start_soon(keep, address)
    return [each for each in found.values() if each is not None]


def judge_media(check: str, port: int, knocks: list[Knock]) -> Finding:
    """Say where the port of the media takes what is sent to it."""
    missed = [knock for knock in knocks if knock.reply in (Reply.REFUSED, Reply.UNREACHABLE)]
    if missed:
        reasons = ", ".join(f"{place(knock.address, port)} ({knock.why})" for knock in missed[:4])
        to_do = "look whether camgate listens there, and for a firewall on this machine"
        return Finding(check, FAILED, f"nobody is reached at {reasons}", to_do)
    words = "takes connections at" if check == MEDIA_TCP else "takes datagrams at"
    return Finding(check, OK, f"port {port} {words} {_names(knocks)}")


@dataclass(frozen=True, slots=True)
class Joined:
    """A viewer's session without a viewer. own_password: ours, password: camgate's.

    udp, tcp: where the answer says that media come from.
    """

    session: str
    ufrag: str
    own_password: str
    password: str
    udp: tuple[tuple[str, int], ...]
    tcp: tuple[tuple[str, int], ...]


async def join(server: Server, camera: str) -> Joined:
    """Send an offer for a camera. Raises SignalingFailed, NoAnswer."""
    own = Access(
        ufrag=secrets.token_hex(4), pwd=secrets.token_hex(16), fingerprint=_FINGERPRINT, address="127.0.0.1", port=9
    )
    path = f"/whep/{quote(camera, safe='')}"
    answer = await server.ask("POST", path, build_offer(own).encode(), content_type="application/sdp")
    if answer.status != 201:
        problem = answer.json()
        detail = problem.get("detail", "") if isinstance(problem, dict) else ""
        raise SignalingFailed(f"{answer.status}: {detail}" if detail else f"it answers {answer.status}")
    text = answer.body.decode(errors="replace")
    said = parse_answer_untrusted(text)
    session = answer.headers.get("location", "").rpartition("/")[2]
    udp, tcp = (candidates_untrusted(text, protocol) for protocol in ("udp", "tcp"))
    return Joined(session, f"{said.ufrag}:{own.ufrag}", own.pwd, said.pwd, udp, tcp)


def candidates_untrusted(text: str, protocol: str) -> tuple[tuple[str, int], ...]:
    """Return addresses and ports of an answer's candidates of a protocol that one can send to."""
    found: dict[tuple[str, int], None] = {}
    for line in text.splitlines():
        # RFC 8839 section 5.1: foundation, component, transport, priority, address, port, "typ", type. RFC 6544 section
        # 4.5: behind them `tcptype`; to a passive one we connect.
        fields = line.removeprefix("a=candidate:").split() if line.startswith("a=candidate:") else []
        if len(fields) < 8 or fields[1] != "1" or fields[2].lower() != protocol or len(found) >= MAX_CANDIDATES:
            continue
        if protocol == "tcp" and "passive" not in fields[8:]:
            continue
        with suppress(ValueError):
            address, port = str(ipaddress.ip_address(fields[4])), int(fields[5])
            if 0 < port < 65536:
                found[address, port] = None
    return tuple(found)


async def leave(server: Server, camera: str, joined: Joined) -> None:
    """End the session; where that fails it ends by itself, as no handshake follows."""
    with suppress(RemoteError):
        await server.ask("DELETE", f"/whep/{quote(camera, safe='')}/{joined.session}")


async def check_ice(joined: Joined, places: Iterable[tuple[str, int]]) -> list[Knock]:
    """Send ICE checks to each place, as a browser does, until they are answered."""
    ports = dict(places)

    async def check(address: str) -> Knock:
        port = ports[address]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with trio.socket.socket(family, socket.SOCK_DGRAM) as sock, suppress(OSError):
            await sock.connect((address, port))
            for _ in range(CHECK_TRIES):
                if await _is_answered(sock, joined):
                    return Knock(address, Reply.ANSWERED)
        return Knock(address, Reply.SILENT)

    return await _side_by_side(check, ports)


async def _is_answered(sock: trio.socket.SocketType, joined: Joined) -> bool:
    transaction_id = secrets.token_bytes(stun.TRANSACTION_ID_BYTES)
    request = stun.build_binding_request(
        transaction_id,
        joined.ufrag,
        joined.password.encode(),
        priority=_PRIORITY,
        tie_breaker=secrets.randbits(64),
        controlling=True,
    )
    await sock.send(request)
    with trio.move_on_after(CHECK_WAIT_S):
        while True:
            try:
                message = stun.parse_stun_untrusted(await sock.recv(stun.MAX_MESSAGE_BYTES))
            except stun.StunMalformed:
                continue
            if message.message_type == stun.BINDING_SUCCESS and message.transaction_id == transaction_id:
                return True
            if message.message_type == stun.BINDING_REQUEST and message.has_integrity(joined.own_password.encode()):
                # Who answers no check may be somebody whose address is forged, and gets no answer.
                host, port = sock.getsockname()[:2]
                await sock.send(stun.build_binding_success(message, (host, port), joined.own_password.encode()))
    return False


async def try_to_join(server: Server, camera: str, port: int, addresses: Iterable[str]) -> Finding:
    """Join a live camera, see at which of our addresses its checks are answered, and leave."""
    try:
        joined = await join(server, camera)
    except RemoteError as error:
        return Finding(JOIN, FAILED, f"{camera} cannot be joined: {error}", "see camgate's log")
    try:
        knocks = await check_ice(joined, [(address, port) for address in addresses])
    finally:
        with trio.CancelScope(shield=True):
            await leave(server, camera, joined)
    return judge_join(camera, port, knocks)


def judge_join(camera: str, port: int, knocks: list[Knock]) -> Finding:
    """Say where a viewer of a camera would be answered."""
    silent = [knock for knock in knocks if knock.reply is not Reply.ANSWERED]
    if not silent:
        return Finding(JOIN, OK, f"{camera}: ICE checks by UDP are answered at {_places(knocks, port)}")
    to_do = f"let UDP port {port} through the firewall; until then viewers get the media by TCP, or not at all"
    verdict = FAILED if len(silent) == len(knocks) else WARNING
    return Finding(JOIN, verdict, f"{camera}: no answer to ICE checks by UDP at {_places(silent, port)}", to_do)


def _places(knocks: list[Knock], port: int) -> str:
    return many(place(knock.address, port) for knock in knocks)


def _names(knocks: list[Knock]) -> str:
    return many(knock.address for knock in knocks)
