"""The Debian package on a whole Debian that is booted: installed, run under its hardened unit, upgraded, purged.

`make prove-deb`. It wants root, and takes two minutes; the packaging tier has what is quick of it.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.deb import newer_package
from tests.fakes.tools import DPKG, require_tool
from tests.system.machine import ROOT, Machine, booted, debian, eventually, run

pytestmark = pytest.mark.system

URL = "http://127.0.0.1:8107/whep/front"
CONFIG = "/etc/camgate/camgate.toml"
QUICK_WATCHDOG = """
# Quicker than the unit, to be waited for.
[Service]
WatchdogSec=4
RestartSec=1
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool(DPKG)
    folder = tmp_path_factory.mktemp("package")
    run(sys.executable, ROOT / "packaging/build-deb", "--fast", "--output", folder)
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def machine(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    tree = debian(folder / "debian")
    shutil.copy(package, tree / "srv/camgate.deb")
    shutil.copy(newer_package(package, folder), tree / "srv/newer.deb")
    with booted(tree) as machine:
        yield machine
    shutil.rmtree(tree)


def unit(machine: Machine, *properties: str) -> dict[str, str]:
    """Return what systemd says of camgate."""
    shown = machine.run("systemctl", "show", "camgate", f"--property={','.join(properties)}")
    return dict(line.split("=", 1) for line in shown.splitlines())


def journal(machine: Machine) -> str:
    return machine.run("journalctl", "--unit=camgate", "--no-pager", "--output=cat")


def wait_live(machine: Machine) -> None:
    def is_live() -> bool:
        told = machine.run("camgate", "status", "--json", may_fail=True)
        cameras = json.loads(told)["cameras"] if told else []
        return [camera["state"] for camera in cameras] == ["live"]

    eventually(is_live, lambda: journal(machine))


def test_its_whole_life(machine: Machine) -> None:
    # A test of one life: each step begins where the one before it ended.
    before = everything(machine)
    machine.run("dpkg", "--install", "/srv/camgate.deb")
    begun = unit(
        machine, "ActiveState", "Type", "UnitFileState", "StatusText", "User", "ProtectSystem", "NoNewPrivileges"
    )
    assert begun == {
        "ActiveState": "active",
        "Type": "notify",
        "UnitFileState": "enabled",
        "StatusText": "0 of 0 cameras live, 0 viewers",
        "User": "camgate",
        "ProtectSystem": "strict",
        "NoNewPrivileges": "yes",
    }

    with machine.camera() as camera:
        first = unit(machine, "MainPID")
        machine.run("sh", "-c", f'printf \'[cameras.front]\\nurl = "%s"\\n\' "$1" >>{CONFIG}', "sh", camera)
        machine.run("systemctl", "reload", "camgate")
        wait_live(machine)
        machine.visit(URL)
        assert unit(machine, "MainPID") == first

        the_watchdog_has_it_started_anew(machine)
        wait_live(machine)
        machine.visit(URL)

        edited = machine.run("cat", CONFIG)
        before_upgrade = unit(machine, "MainPID")
        # What apt says where nobody can be asked.
        machine.run("dpkg", "--force-confdef", "--force-confold", "--install", "/srv/newer.deb")
        assert machine.run("dpkg-query", "--show", "--showformat=${Version}", "camgate").endswith("-2+py311")
        assert machine.run("cat", CONFIG) == edited
        assert machine.run("stat", "--format=%U:%G %a", CONFIG).strip() == "root:camgate 640"
        assert unit(machine, "ActiveState") == {"ActiveState": "active"}
        assert unit(machine, "MainPID") != before_upgrade
        wait_live(machine)
        machine.visit(URL)

    machine.run("dpkg", "--purge", "camgate")
    assert unit(machine, "ActiveState", "LoadState") == {"ActiveState": "inactive", "LoadState": "not-found"}
    assert machine.run("getent", "passwd", "camgate", may_fail=True) == ""
    assert machine.run("getent", "group", "camgate", may_fail=True) == ""
    assert everything(machine) - before == set()


def the_watchdog_has_it_started_anew(machine: Machine) -> None:
    """Hang camgate, and wait until systemd has ended and started it."""
    machine.run("sh", "-c", 'mkdir "$1" && printf %s "$2" >"$1/quick.conf"', "sh", DROP_INS, QUICK_WATCHDOG)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "camgate")
    (hung,) = unit(machine, "MainPID").values()
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "camgate")
    eventually(
        lambda: unit(machine, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "1"},
        lambda: journal(machine),
    )
    assert unit(machine, "MainPID") != {"MainPID": hung}
    assert "Fatal Python error: Aborted" in journal(machine)
    machine.run("rm", "-r", DROP_INS)
    machine.run("systemctl", "daemon-reload")


DROP_INS = "/run/systemd/system/camgate.service.d"


def everything(machine: Machine) -> set[str]:
    """Return all files whose names or places have to do with camgate, the packages that were brought apart."""
    found = machine.run(
        "find", "/", "-xdev", "-ipath", "*camgate*", "-not", "-path", "/srv/*", "-not", "-path", "/proc/*"
    )
    return set(found.splitlines())
