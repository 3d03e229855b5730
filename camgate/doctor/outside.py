"""What a browser on another network would need: can it reach the pages, and one of the addresses that it is told."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from camgate.config.address import is_loopback, split_listen
from camgate.config.exposure import ENCRYPT, exposures, passwords_in_clear
from camgate.config.model import AUTO, STUN, Settings
from camgate.doctor.finding import FAILED, OK, WARNING, Finding, many

EXPOSURE, OTHERS, ELSEWHERE = "Listening beyond this machine", "Browsers on this network", "Browsers on other networks"


@dataclass(frozen=True, slots=True)
class Addresses:
    """What answers would tell viewers. local: this machine's own addresses; advertised: as the config says."""

    local: tuple[str, ...]
    advertised: tuple[str, ...]

    @property
    def told(self) -> tuple[str, ...]:
        """All of them."""
        own = self.local if AUTO in self.advertised else ()
        return (*(name for name in self.advertised if name != AUTO), *own)


def look_outside(settings: Settings, local: Iterable[str]) -> list[Finding]:
    """Say who could reach us, and who not."""
    addresses = Addresses(tuple(local), settings.webrtc.advertise)
    return [*judge_exposure(settings), judge_neighbours(settings, addresses), judge_elsewhere(settings, addresses)]


def judge_exposure(settings: Settings) -> Iterator[Finding]:
    """Warn of listeners that ask nobody who they are, or ask where others can read the answer."""
    found = list(exposures(settings))
    for exposure in found:
        yield Finding(EXPOSURE, FAILED, f"{exposure.key}: {exposure}", f"{exposure.way_out}, or {exposure.in_short}")
    if found:
        return
    if is_loopback(split_listen(settings.server.listen)[0]):
        yield Finding(EXPOSURE, OK, f"{settings.server.listen} is reached from this machine only")
    elif in_clear := passwords_in_clear(settings):
        yield Finding(EXPOSURE, WARNING, in_clear, ENCRYPT)
    else:
        yield Finding(EXPOSURE, OK, f"{settings.server.listen} asks who wants to see the cameras")


def judge_neighbours(settings: Settings, addresses: Addresses) -> Finding:
    """Say what browsers on the same network need."""
    if is_loopback(split_listen(settings.server.listen)[0]):
        host, port = split_listen(settings.server.listen)
        to_do = f'server.listen = "0.0.0.0:{port}" with users ([auth.users.NAME]), or a proxy on this machine'
        return Finding(OTHERS, OK, f"none: camgate listens on {host} only; to let them in: {to_do}")
    if not addresses.told:
        to_do = "give this machine an address, or name one in webrtc.advertise"
        return Finding(OTHERS, FAILED, "viewers would be told no address but loopback's", to_do)
    road = "UDP and TCP" if settings.webrtc.tcp else "UDP"
    return Finding(OTHERS, OK, f"they are told {many(addresses.told)}, {road} port {settings.webrtc.port}")


def judge_elsewhere(settings: Settings, addresses: Addresses) -> Finding:
    """Say what browsers beyond the router need."""
    port = settings.webrtc.port
    # Of what STUN servers see, the log of a running camgate tells.
    public = [name for name in addresses.told if name == STUN or not is_private(name)]
    if public:
        to_do = (
            f"if they see no picture: is UDP and TCP port {port} open, and forwarded to this machine, at {public[0]}?"
        )
        return Finding(ELSEWHERE, OK, f"they are told {many(public)}; {to_do}")
    if settings.webrtc.turn:
        what = f"they are told private addresses, and of a TURN server ({many(settings.webrtc.turn)})"
        return Finding(ELSEWHERE, OK, f"{what}, which has to reach these and be reached by them")
    if is_loopback(split_listen(settings.server.listen)[0]):
        return Finding(ELSEWHERE, OK, f"none, as camgate listens on this machine only; behind a proxy {_way_in(port)}")
    what = f"they are told {many(addresses.told) or 'nothing'}: private addresses, which only this network reaches"
    return Finding(ELSEWHERE, WARNING, what, _way_in(port))


def _way_in(port: int) -> str:
    return (
        f"forward UDP and TCP port {port} to this machine at the router, and write its public name or address in "
        'webrtc.advertise = ["auto", "…"]; or name a TURN server ([webrtc.turn.NAME]); or let them in by VPN'
    )


def is_private(name: str) -> bool:
    """Whether an address is reached from its own network only; a name may be anything, and is taken for public."""
    try:
        address = ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return name == "localhost" or name.endswith((".local", ".lan", ".internal", ".localhost", ".home.arpa"))
    return not address.is_global
