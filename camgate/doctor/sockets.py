"""Who listens where on this machine, as Linux tells it in /proc. No state."""

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
NOBODY = -1
"""The user of a process that has ended meanwhile."""
_LISTENING = {"tcp": "0A", "udp": "07"}
"""include/net/tcp_states.h: TCP_LISTEN; unconnected UDP sockets are in TCP_CLOSE."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that waits for whoever comes. protocol: `tcp` or `udp`."""

    protocol: str
    address: str
    port: int
    inode: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. name: of its program. is_camgate: as far as its command line tells. uid: of its user."""

    pid: int
    name: str
    is_camgate: bool
    uid: int = 0

    def __str__(self) -> str:
        return f"{'camgate' if self.is_camgate else self.name} (process {self.pid})"


def bound_sockets(proc: Path = PROC) -> list[Bound]:
    """Return every socket that waits on some port, in this network namespace."""
    found = []
    for protocol, state in _LISTENING.items():
        for family in ("", "6"):
            with suppress(OSError):
                lines = (proc / "net" / f"{protocol}{family}").read_text().splitlines()[1:]
                found += [_bound(protocol, line.split()) for line in lines if line.split()[3:4] == [state]]
    return found


def _bound(protocol: str, fields: list[str]) -> Bound:
    # proc(5), /proc/net/tcp: sl, local_address, rem_address, st, queues, timers, retransmits, uid, timeout, inode.
    address, _, port = fields[1].partition(":")
    return Bound(protocol, _address(address), int(port, 16), int(fields[9]))


def _address(text: str) -> str:
    # Four-byte words, each in the machine's order.
    words = (int(text[start : start + 8], 16).to_bytes(4, "little") for start in range(0, len(text), 8))
    packed = b"".join(words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def holders_of(inodes: Iterable[int], proc: Path = PROC) -> dict[int, Holder]:
    """Return the processes that hold sockets, as far as this user may see them."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, Holder] = {}
    if not wanted:
        return found
    for process in proc.glob("[0-9]*"):
        for link in _links(process / "fd"):
            if link in wanted:
                found.setdefault(wanted[link], _holder(process))
    return found


def _links(folder: Path) -> Iterator[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return  # it has ended, or is another user's
    for name in names:
        with suppress(OSError):
            yield os.readlink(folder / name)


def _holder(process: Path) -> Holder:
    try:
        name = (process / "comm").read_text().strip()
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        uid = process.stat().st_uid
    except OSError:
        name, words, uid = "a process", [], NOBODY
    # `camgate run`, `python -m camgate run`, and what has camgate's own entry point.
    is_camgate = any(os.path.basename(word) == "camgate" for word in words[:4])
    return Holder(int(process.name), name, is_camgate, uid)
