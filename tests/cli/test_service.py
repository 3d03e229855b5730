"""`camgate run` as systemd starts it, and `camgate service …` in the tree of another system."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from camgate.cli.service import describe
from tests.fakes.command import camgate, running_camgate
from tests.fakes.service_manager import ServiceManager
from tests.fakes.tools import SYSTEMD, require_tool

CONFIG = """
[server]
listen = "127.0.0.1:0"
[webrtc]
port = 0
[cameras.front]
url = "rtsp://127.0.0.1:9/live"
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with closing(ServiceManager.at(tmp_path)) as manager:
        yield manager


async def test_systemd_is_told_of_the_whole_life(tmp_path: Path, manager: ServiceManager) -> None:
    file = tmp_path / "camgate.toml"
    file.write_text(CONFIG)
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000000"}
    async with running_camgate("run", directory=tmp_path, **environ) as running:
        assert (await manager.wait("READY=1"))[0] == "READY=1\nSTATUS=0 of 1 cameras live, 0 viewers"
        await running.wait_line(" ready ")
        await manager.wait("WATCHDOG=1")
        for text, told in ((CONFIG.replace("front", "yard"), "read anew"), ("nonsense", "is not taken")):
            file.write_text(text)
            running.process.send_signal(signal.SIGHUP)
            assert "\nMONOTONIC_USEC=" in (await manager.wait("RELOADING=1"))[-1]
            await manager.wait("READY=1")
            await running.wait_line(told)
        await manager.wait("WATCHDOG=1")
        running.process.send_signal(signal.SIGTERM)
        await manager.wait("STOPPING=1")
        assert await running.wait_end() == 0
    assert manager.heard() == []


async def test_a_start_that_fails_is_never_called_ready(tmp_path: Path, manager: ServiceManager) -> None:
    (tmp_path / "camgate.toml").write_text(CONFIG.replace("127.0.0.1:0", "192.0.2.1:1"))
    async with running_camgate("run", directory=tmp_path, NOTIFY_SOCKET=manager.address) as running:
        assert await running.wait_end() == 2
    assert "READY=1" not in "".join(manager.heard())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    require_tool(SYSTEMD)
    return tmp_path


def files(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_a_tree_gets_the_service_and_loses_it(tree: Path) -> None:
    told = camgate("service", "install", "--root", tree, directory=tree)
    assert (told.code, told.err) == (0, "")
    unit = (tree / "etc/systemd/system/camgate.service").read_text()
    assert f"\nExecStart={Path(sys.executable).parent}/camgate run --config /etc/camgate/camgate.toml\n" in unit
    assert (tree / "etc/systemd/system/multi-user.target.wants/camgate.service").is_symlink()
    assert "\ncamgate:" in "\n" + (tree / "etc/passwd").read_text()
    before = files(tree)
    again = camgate("service", "install", "--root", tree, directory=tree)
    assert (again.code, "write" in again.out) == (0, False)
    assert files(tree) == before
    told = camgate("service", "uninstall", "--root", tree, directory=tree)
    assert (told.code, told.err) == (0, "")
    assert not list(tree.rglob("camgate.*"))
    assert "\ncamgate:" in "\n" + (tree / "etc/passwd").read_text()
    told = camgate("service", "uninstall", "--root", tree, directory=tree)
    assert told.code == 0
    assert "nothing is to be done" in told.out


def test_what_is_optional_is_written_when_it_is_asked_for_and_removed_with_the_rest(tree: Path) -> None:
    optional = {"etc/systemd/system/camgate.service.d/hardware-encoders.conf", "etc/sysctl.d/90-camgate.conf"}
    assert camgate("service", "install", "--root", tree, directory=tree).code == 0
    assert not optional & set(files(tree))
    options = ("--hardware-encoders", "--udp-buffers")
    assert camgate("service", "install", *options, "--root", tree, directory=tree).code == 0
    assert optional <= set(files(tree))
    # An upgrade leaves them.
    assert camgate("service", "install", "--root", tree, directory=tree).code == 0
    assert optional <= set(files(tree))
    assert camgate("service", "uninstall", "--root", tree, directory=tree).code == 0
    assert not optional & set(files(tree))


def test_a_dry_run_says_all_and_does_nothing(tree: Path) -> None:
    told = camgate("service", "install", "--root", tree, "--dry-run", directory=tree)
    assert told.out.splitlines() == [
        f"would write {tree}/etc/sysusers.d/camgate.conf",
        f"would write {tree}/etc/systemd/system/camgate.service",
        f"would run systemd-sysusers --root={tree} {tree}/etc/sysusers.d/camgate.conf",
        f"would run systemctl --root={tree} enable camgate.service",
    ]
    assert files(tree) == {}
    camgate("service", "install", "--root", tree, directory=tree)
    before = files(tree)
    told = camgate("service", "uninstall", "--root", tree, "--dry-run", directory=tree)
    assert f"would remove {tree}/etc/systemd/system/camgate.service" in told.out
    assert files(tree) == before


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_tree_that_is_not_there_is_not_made(tmp_path: Path, command: str, options: tuple[str, ...]) -> None:
    told = camgate("service", command, "--root", "nowhere", *options, directory=tmp_path)
    assert (told.code, told.out, list(tmp_path.iterdir())) == (1, "", [])
    assert told.err.endswith(f"there is no directory {tmp_path}/nowhere; --root is the tree of another system\n")


def test_a_unit_of_somebody_elses_is_left_alone(tree: Path) -> None:
    unit = tree / "etc/systemd/system/camgate.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    for command in ("install", "uninstall"):
        told = camgate("service", command, "--root", tree, directory=tree)
        assert told.code == 1
        assert f"{unit} is there, and camgate has not written it" in told.err
        assert told.err.count("\n") == 1
    assert list(files(tree)) == ["etc/systemd/system/camgate.service"]


def test_what_cannot_be_written_is_one_sentence(tree: Path) -> None:
    (tree / "etc").mkdir()
    (tree / "etc/sysusers.d").symlink_to("nowhere")
    told = camgate("service", "install", "--root", tree, directory=tree)
    assert told.code == 1
    assert told.err == f"camgate service install: cannot write {tree}/etc/sysusers.d/camgate.conf: File exists\n"


def test_the_state_of_the_service_in_words() -> None:
    assert list(describe({"LoadState": "not-found"})) == [
        "camgate is no service here; `camgate service install` makes it one"
    ]
    facts = {
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "UnitFileState": "disabled",
        "StatusText": "1 of 1 cameras live, 2 viewers",
        "ActiveEnterTimestamp": "Sat 2026-11-28 12:00:00 UTC",
        "NRestarts": "2",
    }
    assert list(describe(facts)) == [
        "active (running)",
        "1 of 1 cameras live, 2 viewers",
        "since Sat 2026-11-28 12:00:00 UTC",
        "started anew by systemd: 2 times; `journalctl -u camgate` tells why",
        "does not start with the machine; `systemctl enable camgate` has it",
    ]
