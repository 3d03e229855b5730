"""Who has the ports: read from this machine's /proc, and judged."""

import errno
import os
import socket
from pathlib import Path

import pytest

from camgate.config.model import RtspServerSettings, ServerSettings, Settings, WebRtcSettings
from camgate.doctor.finding import FAILED, OK, WARNING, Verdict
from camgate.doctor.ports import Port, judge_port, ports_of, sockets_at, try_to_bind
from camgate.doctor.sockets import Bound, Holder, bound_sockets, holders_of

HTTP = Port("HTTP port", "server.listen", "tcp", "127.0.0.1", 8107)
CAMGATE, NGINX = Holder(12, "python3", True), Holder(34, "nginx", False)
SOCKET = Bound("tcp", "127.0.0.1", 8107, 99)


@pytest.mark.parametrize(
    ("family", "kind", "address"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::1"),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
        (socket.AF_INET6, socket.SOCK_DGRAM, "::"),
    ],
)
def test_our_own_sockets_are_found_with_whose_they_are(family: int, kind: int, address: str) -> None:
    with socket.socket(family, kind) as sock:
        sock.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        protocol = "tcp" if kind == socket.SOCK_STREAM else "udp"
        port = sock.getsockname()[1]
        found = [each for each in bound_sockets() if (each.protocol, each.port) == (protocol, port)]
        assert address in [each.address for each in found]
        holders = holders_of(each.inode for each in found)
        assert os.getpid() in [holder.pid for holder in holders.values()]


def test_a_process_is_known_as_camgate_by_its_command_line(tmp_path: Path) -> None:
    for pid, command in ((7, "/usr/bin/python3\0-m\0camgate\0run\0"), (8, "/usr/bin/vi\0camgate.toml\0")):
        folder = tmp_path / str(pid) / "fd"
        folder.mkdir(parents=True)
        (folder / "3").symlink_to(f"socket:[{pid}]")
        (folder.parent / "comm").write_text("program\n")
        (folder.parent / "cmdline").write_text(command)
    holders = holders_of([7, 8, 9], tmp_path)
    assert {inode: (holder.pid, holder.is_camgate) for inode, holder in holders.items()} == {
        7: (7, True),
        8: (8, False),
    }


def test_which_ports_are_looked_at() -> None:
    settings = Settings(cameras={}, rtsp_server=RtspServerSettings(listen="[::]:8554"))
    assert list(map(str, ports_of(settings))) == [
        "127.0.0.1:8107 (TCP)",
        "0.0.0.0:8108 (UDP)",
        "0.0.0.0:8108 (TCP)",
        "[::]:8554 (TCP)",
    ]
    without_tcp = Settings(cameras={}, webrtc=WebRtcSettings(tcp=False))
    assert [port.protocol for port in ports_of(without_tcp)] == ["tcp", "udp"]
    free = Settings(cameras={}, server=ServerSettings(listen="localhost:0"), webrtc=WebRtcSettings(port=0))
    assert ports_of(free) == []


@pytest.mark.parametrize(
    ("address", "host", "is_in_the_way"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("192.0.2.2", "0.0.0.0", True),
        ("192.0.2.2", "127.0.0.1", False),
    ],
)
def test_which_sockets_are_in_the_way(address: str, host: str, is_in_the_way: bool) -> None:
    port = Port("HTTP port", "server.listen", "tcp", host, 8107)
    sockets = [Bound("tcp", address, 8107, 1), Bound("udp", address, 8107, 2), Bound("tcp", address, 8108, 3)]
    assert bool(sockets_at(port, sockets)) == is_in_the_way


@pytest.mark.parametrize(
    ("found", "holders", "refused", "running", "verdict", "words"),
    [
        ([], {}, None, None, OK, "is free, as camgate does not run"),
        ([], {}, None, CAMGATE, FAILED, "camgate (process 12) does not listen on 127.0.0.1:8107"),
        ([], {}, OSError(errno.EADDRNOTAVAIL, "no"), None, FAILED, "cannot be bound"),
        ([SOCKET], {99: CAMGATE}, None, CAMGATE, OK, "camgate (process 12) listens on"),
        ([SOCKET], {99: NGINX}, None, None, FAILED, "is taken by nginx (process 34)"),
        ([SOCKET], {}, None, None, WARNING, "by a process of another user"),
        ([SOCKET], {}, None, CAMGATE, OK, "by a process of another user"),
    ],
)
def test_judgements(
    found: list[Bound],
    holders: dict[int, Holder],
    refused: OSError | None,
    running: Holder | None,
    verdict: Verdict,
    words: str,
) -> None:
    finding = judge_port(HTTP, found, holders, refused, running)
    assert finding.verdict is verdict
    assert words in finding.what


def test_a_camgate_that_was_started_with_another_config() -> None:
    wide = Port("HTTP port", "server.listen", "tcp", "0.0.0.0", 8107)
    finding = judge_port(wide, [SOCKET], {99: CAMGATE}, None, CAMGATE)
    assert (finding.verdict, "restart camgate" in finding.to_do) == (FAILED, True)


def test_low_ports_of_other_users_and_addresses_of_other_machines() -> None:
    refused = try_to_bind(Port("HTTP port", "server.listen", "tcp", "192.0.2.99", 8107))
    assert refused is not None
    assert refused.errno == errno.EADDRNOTAVAIL
    finding = judge_port(HTTP, [], {}, refused, None)
    assert finding.to_do == "write an address of this machine in server.listen"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = try_to_bind(Port("HTTP port", "server.listen", "tcp", "127.0.0.1", taken.getsockname()[1]))
        assert refused is not None
        assert refused.errno == errno.EADDRINUSE
