"""The STUN and TURN servers that viewers are told of: asked only where that was wished, as it leaves this machine."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import trio

from camgate.config.model import AUTO, STUN, Settings
from camgate.doctor.finding import OK, WARNING, Finding
from camgate.doctor.reach import CHECK_TRIES, CHECK_WAIT_S, Reply, knock_tcp
from camgate.wire.ice import stun
from camgate.wire.ice.servers import IceUrl, parse_ice_url

SERVERS = "STUN and TURN servers"


@dataclass(frozen=True, slots=True)
class Asked:
    """A server, and what came back. seen: the address that it saw us by; None where it did not say."""

    url: str
    is_reached: bool
    seen: str | None = None


def urls_of(settings: Settings) -> list[str]:
    """Return all that viewers are told of."""
    turn = (url for server in settings.webrtc.turn.values() for url in server.urls)
    return [*settings.webrtc.stun, *turn]


async def look_at_servers(settings: Settings, *, is_asked: bool) -> list[Finding]:
    """Say what there is; ask it where that is wished."""
    urls = urls_of(settings)
    if not urls:
        return [Finding(SERVERS, OK, "none: viewers find a path by camgate's own addresses, or not at all")]
    if not is_asked:
        return [Finding(SERVERS, OK, f"{len(urls)} configured, not asked; --outside asks them")]
    asked: dict[str, Asked] = {}

    async def ask(url: str) -> None:
        asked[url] = await ask_server(url, parse_ice_url(url))

    async with trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(ask, url)
    return list(judge_servers(settings, [asked[url] for url in urls if url in asked]))


async def ask_server(url: str, parts: IceUrl) -> Asked:
    """Ask a server who we are, by UDP; of one that speaks TCP or TLS only see whether it takes a connection."""
    if parts.scheme == "turns" or parts.transport == "tcp":
        (knock,) = await knock_tcp(parts.port, [parts.host])
        return Asked(url, knock.reply is Reply.ANSWERED)
    seen = None
    with suppress(OSError):
        seen = await _seen_address(parts.host, parts.port)
    return Asked(url, seen is not None, seen)


async def _seen_address(host: str, port: int) -> str | None:
    family, *_, address = (await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM))[0]
    transaction_id = secrets.token_bytes(stun.TRANSACTION_ID_BYTES)
    with trio.socket.socket(family, socket.SOCK_DGRAM) as sock:
        await sock.connect(address)
        for _ in range(CHECK_TRIES):
            await sock.send(stun.build_binding_query(transaction_id))
            with trio.move_on_after(CHECK_WAIT_S), suppress(stun.StunMalformed):
                answer = stun.parse_stun_untrusted(await sock.recv(stun.MAX_MESSAGE_BYTES))
                mapped = stun.read_mapped_address(answer)
                if answer.transaction_id == transaction_id and mapped is not None:
                    return mapped[0]
    return None


def judge_servers(settings: Settings, asked: list[Asked]) -> Iterator[Finding]:
    """Say which servers answer, and whether viewers are told of the address that these see."""
    for each in asked:
        if each.is_reached:
            seen = f", and sees this machine as {each.seen}" if each.seen else ""
            yield Finding(SERVERS, OK, f"{each.url} answers{seen}")
        else:
            to_do = "look whether it runs, and whether a firewall lets this machine out; viewers may still reach it"
            yield Finding(SERVERS, WARNING, f"{each.url} does not answer", to_do)
    addresses = {each.seen for each in asked if each.seen}
    advertise = settings.webrtc.advertise
    if addresses and STUN not in advertise and not addresses & set(advertise):
        named = ", ".join(sorted(addresses))
        to_do = (
            f'write webrtc.advertise = ["{AUTO}", "{STUN}"], or the address, and forward port {settings.webrtc.port}'
        )
        yield Finding(SERVERS, WARNING, f"viewers are not told of {named}, by which the Internet sees us", to_do)
