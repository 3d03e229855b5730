"""The Debian package: what is in it; and that dpkg installs it, keeps the config in an upgrade, and purges it whole.

dpkg does so in a tree of its own, where nothing is started. `make prove-deb` has a whole Debian run it.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from camgate import __version__
from tests.fakes.deb import newer_package
from tests.fakes.tools import DPKG, FAKEROOT, SYSTEMD, require_tool

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = Path("usr/lib/camgate/lib") / PYTHON / "site-packages"
UNITS = "lib/systemd/system" if PYTHON == "python3.11" else "usr/lib/systemd/system"


def run(*command: str | Path, **environment: str) -> str:
    """Run a command to its end and return what it printed; fails with that when the command does."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, for the Python that runs the tests."""
    require_tool(DPKG)
    folder = tmp_path_factory.mktemp("package")
    python = PYTHON.removeprefix("python")
    run(sys.executable, ROOT / "packaging/build-deb", "--fast", "--python", python, "--output", folder)
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "--raw-extract", package, folder)
    return folder


@dataclass(frozen=True, slots=True)
class System:
    """A tree of files in which dpkg installs as root would; who owns what is kept by fakeroot."""

    root: Path
    owners: Path

    def as_root(self, *command: str | Path) -> str:
        return run("fakeroot", "-i", self.owners, "-s", self.owners, "--", *command)

    def dpkg(self, *arguments: str | Path) -> None:
        # What it depends on is not in the tree, and its scripts run outside of it.
        forced = ["--force-depends", "--force-script-chrootless", "--force-not-root"]
        self.as_root("dpkg", f"--root={self.root}", f"--log={self.owners}.log", *forced, *arguments)

    def owner_and_mode(self, file: str) -> str:
        return self.as_root("stat", "--format=%u:%g %a", self.root / file).strip()

    def files(self) -> set[str]:
        """Return all that is there, dpkg's and shadow's own notes apart."""
        notes = ("var/lib/dpkg/*", "etc/*-", "etc/.pwd.lock")
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}
        return {file for file in found if not any(fnmatch(file, note) for note in notes)}


@pytest.fixture
def system(tmp_path: Path) -> System:
    for tool in (DPKG, FAKEROOT, SYSTEMD):
        require_tool(tool)
    root = tmp_path / "root"
    for folder in ("etc", "var/lib/dpkg/info", "var/lib/dpkg/updates"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    for file in ("shadow", "gshadow"):
        (root / "etc" / file).touch()
    (tmp_path / "owners").touch()
    return System(root, tmp_path / "owners")


def test_it_says_what_it_is_and_what_it_needs(package: Path, unpacked: Path) -> None:
    fields = run("dpkg-deb", "--field", package)
    assert f"\nVersion: {__version__}-1+py3" in fields
    assert f"\nDepends: {PYTHON}, systemd (>= 252) | systemd-standalone-sysusers | systemd-sysusers, libc6" in fields
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/camgate/camgate.toml\n"
    run("sh", "-c", 'cd "$0" && exec md5sum --check --quiet DEBIAN/md5sums', unpacked)


def test_it_is_roots_and_names_nothing_of_the_machine_that_built_it(package: Path, unpacked: Path) -> None:
    for line in run("dpkg-deb", "--contents", package).splitlines():
        mode, owner, *_, name = line.split(" -> ")[0].split()
        assert owner == "root/root", line
        assert mode[0] == "l" or mode[5] == mode[8] == "-", f"others may write: {line}"
        assert "__pycache__" not in name, line
    texts = [path for path in unpacked.rglob("*") if path.is_file() and path.suffix not in (".so", ".json")]
    built_at = [path for path in texts if str(ROOT).encode() in path.read_bytes()]
    assert built_at == []


def test_it_holds_what_the_lock_pins(unpacked: Path) -> None:
    lock = (ROOT / "requirements/run.lock").read_text()
    pinned = re.findall(r"^([\w.-]+)==(\S+) (?!; sys_platform == 'win32')", lock, re.MULTILINE)
    held = {folder.name.removesuffix(".dist-info") for folder in (unpacked / SITE).glob("*.dist-info")}
    assert held == {f"{name.replace('-', '_')}-{version}" for name, version in [*pinned, ("camgate", __version__)]}
    for folder in ("web", "systemd", "etc"):
        files = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert [file for file in files if not (unpacked / SITE / f"camgate/_{folder}" / file).exists()] == []
    examples = unpacked / "usr/share/doc/camgate/examples"
    assert (examples / "camgate.toml").read_bytes() == (ROOT / "etc/camgate.toml").read_bytes()
    assert (examples / "hardware-encoders.conf").is_file()


def test_the_copyright_names_every_part(unpacked: Path) -> None:
    text = (unpacked / "usr/share/doc/camgate/copyright").read_text()
    assert "@" not in re.sub(r"\S+@\S+\.\S+", "", text)
    patterns = [
        pattern for block in re.findall(r"^Files:(.*(?:\n .*)*)", text, re.MULTILINE) for pattern in block.split()
    ]
    named = [pattern for pattern in patterns if not pattern.endswith("site-packages/*") and pattern != "*"]
    libraries = [str(file.relative_to(unpacked)) for file in (unpacked / SITE / "av.libs").iterdir()]
    assert [file for file in libraries if not any(fnmatch(file, pattern) for pattern in named)] == []
    for part in ("x264", "x265"):
        assert re.search(rf"^Files: .*/lib{part}-\*\nCopyright: .*\nLicense: GPL-2\+$", text, re.MULTILINE)
    for file in re.findall(r"^  /(\S+)$", text, re.MULTILINE):
        assert (unpacked / file).is_file(), file


def test_dpkg_installs_it_and_keeps_the_config_and_purges_it(package: Path, system: System) -> None:
    before = system.files()
    system.dpkg("--install", package)
    user, group = ((system.root / "etc" / file).read_text() for file in ("passwd", "group"))
    (uid,), (gid,) = re.findall(r"^camgate:x:(\d+):", user, re.M), re.findall(r"^camgate:x:(\d+):", group, re.M)
    assert int(uid) > 0
    config = system.root / "etc/camgate/camgate.toml"
    assert system.owner_and_mode("etc/camgate/camgate.toml") == f"0:{gid} 640"
    assert (system.root / UNITS / "camgate.service").is_file()
    assert (system.root / "etc/systemd/system/multi-user.target.wants/camgate.service").is_symlink()
    assert list((system.root / SITE / "camgate/__pycache__").glob("*.pyc"))
    # It runs with what is inside alone. -S: the packages of the tests' own Python are not there.
    program = [Path(sys.executable).resolve(), "-P", "-S", system.root / "usr/bin/camgate"]
    told = run(*program, "check", config, PYTHONPATH=str(system.root / SITE))
    assert "is in order" in told

    config.write_text("# edited\n" + config.read_text())
    system.as_root("chmod", "600", config)
    newer = newer_package(package, system.root.parent, without=SITE / "camgate/choice.py")
    system.dpkg("--force-confold", "--install", newer)
    assert config.read_text().startswith("# edited\n")
    assert system.owner_and_mode("etc/camgate/camgate.toml") == f"0:{gid} 600"
    assert not (system.root / SITE / "camgate/choice.py").exists()
    assert not list((system.root / SITE / "camgate/__pycache__").glob("choice.*"))

    (system.root / "var/lib/camgate").mkdir()
    (system.root / "var/lib/camgate/key").touch()
    (system.root / "etc/camgate/front.password").touch()
    system.dpkg("--remove", "camgate")
    assert not (system.root / "usr/lib/camgate").exists()
    assert config.exists()
    assert (system.root / "var/lib/camgate/key").exists()
    system.dpkg("--purge", "camgate")
    assert system.files() == before
    assert "camgate" not in (system.root / "etc/passwd").read_text() + (system.root / "etc/group").read_text()
