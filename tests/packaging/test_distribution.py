"""What users install: sdist and wheel are whole, and camgate runs from the wheel with the pinned packages alone."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import camgate
from tests.fakes.tools import SYSTEMD, require_tool

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
SITE = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
OTHERS = ("PYTHON", "VIRTUAL_ENV", "XDG_", "PIPX_", "UV_TOOL_")
INSTALLERS = ("pipx==1.18.4", "uv==0.13.9")
PATIENCE_S = 60
"""Generous, for machines that do much else."""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end and return what it printed; fails with that when the command does."""
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment(cwd)
    )
    assert result.returncode == 0, f"{command} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
    return result.stdout


def environment(home: Path) -> dict[str, str]:
    """Keep what leads to the package index, and drop what could lead to the checkout or to the user's own tools."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    return {**kept, "HOME": str(home), "NO_COLOR": "1"}


def build(target: str, source: Path, output: Path) -> Path:
    """Build a distribution of `source` with the pinned hatchling."""
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", output, cwd=source)
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made of the sdist and of nothing else."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    run("tar", "--extract", "--file", sdist, cwd=unpacked)
    (source,) = unpacked.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `camgate` command in a fresh environment, far from the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "venv", cwd=folder)
    pip = [folder / "venv" / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    run(*pip, "install", "--require-hashes", "--requirement", ROOT / "requirements" / "run.lock", cwd=folder)
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    run(*pip, "check", cwd=folder)
    return folder / "venv" / "bin" / "camgate"


def test_the_wheel_holds_the_code_the_pages_the_units_the_examples_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "camgate").rglob("*") if path.suffix == ".py"}
    for folder in ("web", "systemd", "etc"):
        files = {path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert files
        code |= {f"camgate/_{folder}/{file}" for file in files}
    (page,) = {name for name in names if name.endswith(".1")}
    assert page.endswith(".data/data/share/man/man1/camgate.1")
    assert names == code | {page}


def test_the_sdist_holds_the_example_config_and_the_locks(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"etc/camgate.toml", "requirements/run.lock", "README.md", "CHANGELOG.md", "LICENSE"} <= names


def test_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version", cwd=tmp_path).strip() == f"camgate {camgate.__version__}"


@pytest.fixture(scope="module")
def installers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `pipx` and `uv` in it."""
    folder = tmp_path_factory.mktemp("installers")
    run(sys.executable, "-m", "venv", "venv", cwd=folder)
    run(folder / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", *INSTALLERS, cwd=folder)
    return folder / "venv/bin"


@pytest.mark.parametrize(
    "command",
    [("pipx", "install", "--pip-args=--constraint={pins}"), ("uv", "tool", "install", "--constraints={pins}")],
)
def test_pipx_and_uv_install_it(command: tuple[str, ...], installers: Path, wheel: Path, tmp_path: Path) -> None:
    # Newer versions than those that are tested are what users get in time, and none of this test's business.
    pins = tmp_path / "pins.txt"
    lock = (ROOT / "requirements/run.lock").read_text()
    pins.write_text("\n".join(re.findall(r"^[\w.-]+==[^\\\n]+", lock, re.MULTILINE)))
    program, *arguments = (word.format(pins=pins) for word in command)
    run(installers / program, *arguments, f"--python={sys.executable}", wheel, cwd=tmp_path)
    camgate_command = tmp_path / ".local/bin/camgate"
    run(camgate_command, "init", cwd=tmp_path)
    assert "is in order" in run(camgate_command, "check", cwd=tmp_path)
    package = camgate_command.resolve().parent.parent / SITE / "camgate"
    assert (package / "_web/index.html").read_bytes() == (ROOT / "web/index.html").read_bytes()
    assert (package / "_etc/camgate.toml").read_bytes() == (ROOT / "etc/camgate.toml").read_bytes()


def test_init_writes_a_config_that_check_takes(installed: Path, tmp_path: Path) -> None:
    run(installed, "init", cwd=tmp_path)
    assert (tmp_path / "camgate.toml").exists()
    run(installed, "check", cwd=tmp_path)


def test_it_makes_itself_a_service(installed: Path, tmp_path: Path) -> None:
    require_tool(SYSTEMD)
    told = run(installed, "service", "install", "--root", tmp_path, "--dry-run", cwd=tmp_path)
    assert f"would write {tmp_path}/etc/systemd/system/camgate.service" in told
    run(installed, "service", "install", "--root", tmp_path, cwd=tmp_path)
    unit = (tmp_path / "etc/systemd/system/camgate.service").read_text()
    assert f"ExecStart={installed} run " in unit


def test_the_demo_serves_its_pages_and_ends_when_it_is_told_to(installed: Path, tmp_path: Path) -> None:
    with demo(installed, tmp_path) as (url, process):
        assert fetch(f"{url}/healthz")
        for page in ("/", "/camera/front-door"):
            assert fetch(url + page).startswith(b"<!doctype html>")
        parts = [path for path in (ROOT / "web").rglob("*") if path.suffix in (".js", ".css", ".svg")]
        assert parts
        for part in parts:
            assert fetch(f"{url}/static/{part.relative_to(ROOT / 'web')}") == part.read_bytes()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


@contextmanager
def demo(installed: Path, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `camgate demo`, wait until it says where it is, and give its address."""
    log = folder / "demo.log"
    with log.open("wb") as output:
        command = [installed, "demo", "--listen", "127.0.0.1:0", "--webrtc-port", "0"]
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=environment(folder))
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield found[0], process
    finally:
        process.kill()
        process.wait()


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
        body: bytes = response.read()
    return body
