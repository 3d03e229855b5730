"""The Dockerfile, built on a Debian of our own by buildah, and what came of it run as compose.yaml has it run.

`make prove-docker`. It wants root, and takes two minutes. No registry of images is asked. There is no Docker here:
systemd-nspawn runs the image with its own environment, user and command, a root that cannot be written, no capabilities
and a network of its own.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from camgate import __version__
from tests.fakes.tools import BUILDAH, require_tool
from tests.system.machine import ROOT, Machine, debian_tarball, eventually, run, running

pytestmark = pytest.mark.system

BASE = "localhost/debian-with-python"
IMAGE = "localhost/camgate"
HOST_FILES = ("/etc/ssl/certs", "/etc/pip.conf")
"""How this machine reaches the package index; the image shall not know."""
CONFIG = """\
[server]
listen = "127.0.0.1:8107"
[logging]
output = "both"
directory = "/var/log/camgate"
[cameras.front]
url = "{url}"
"""


@dataclass(frozen=True, slots=True)
class Images:
    """Images in a store of their own."""

    store: Path

    def buildah(self, *arguments: str | Path) -> str:
        place = ["--root", self.store / "root", "--runroot", self.store / "run", "--storage-driver", "vfs"]
        return run("buildah", *place, *arguments).strip()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """The image, built."""
    require_tool(BUILDAH)
    store = tmp_path_factory.mktemp("images")
    images = Images(store)
    container = images.buildah("from", "scratch")
    images.buildah("add", "--quiet", container, debian_tarball(), "/")
    images.buildah("commit", "--quiet", "--rm", container, BASE)
    lent = [f"--volume={file}:{file}:ro" for file in HOST_FILES if Path(file).exists()]
    how = ["--isolation=chroot", "--format=docker", f"--build-arg=BASE_IMAGE={BASE}", f"--tag={IMAGE}", *lent]
    images.buildah("bud", *how, ROOT)
    yield images
    shutil.rmtree(store)


@pytest.fixture(scope="module")
def image(images: Images) -> Any:
    """What the image says of itself."""
    return json.loads(images.buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]


@pytest.fixture(scope="module")
def tree(images: Images) -> Path:
    """The image's files."""
    return Path(images.buildah("mount", images.buildah("from", "--pull-never", IMAGE)))


def test_it_says_how_it_is_run(image: Any) -> None:
    assert image["User"] == "8107:8107"
    assert image["Entrypoint"] + image["Cmd"] == ["camgate", "run", "--config", "/etc/camgate/camgate.toml"]
    assert image["ExposedPorts"].keys() == {"8107/tcp", "9090/tcp", "8108/tcp", "8108/udp"}
    assert image["Healthcheck"]["Test"] == ["CMD", "/opt/camgate/bin/healthy"]


def test_it_holds_no_installer_and_nothing_of_this_machine(tree: Path) -> None:
    names = {path.name for path in (tree / "opt/camgate").rglob("*")}
    assert "camgate" in names
    assert not names & {"pip", "pip3", "setuptools"}
    assert not (tree / "source").exists()
    lent = tree / "etc/pip.conf"  # its place is left, by this test alone
    assert not lent.exists() or lent.read_text() == ""


def test_a_viewer_sees_a_camera(image: Any, tree: Path, tmp_path: Path) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["camgate"]
    assert compose["read_only"] is True
    uid = int(image["User"].partition(":")[0])
    places = {
        place: tmp_path / place.strip("/").replace("/", "-")
        for place in ("/etc/camgate", "/var/lib/camgate", "/var/log/camgate")
    }
    for folder in places.values():
        folder.mkdir()
        shutil.chown(folder, uid, uid)
    config = places["/etc/camgate"] / "camgate.toml"
    # It has a place in the network before there is a camera in it, so the first config names none.
    config.write_text("[cameras]\n")
    shutil.chown(config, uid, uid)
    environment = [f"--setenv={variable}" for variable in image["Env"]]
    temporary = [f"--tmpfs={entry}" for entry in compose["tmpfs"]]
    options = [
        *("--read-only", f"--user={uid}", "--drop-capability=all", "--no-new-privileges=yes"),
        *environment,
        *temporary,
        f"--bind-ro={places['/etc/camgate']}:/etc/camgate",
        *(f"--bind={places[place]}:{place}" for place in ("/var/lib/camgate", "/var/log/camgate")),
        "--chdir=/var/lib/camgate",
    ]
    with running(tree, [*options, "--console=pipe", *image["Entrypoint"], *image["Cmd"]]) as machine:
        eventually(lambda: "camgate has started" in machine.log.read_text(), machine.log.read_text)
        healthy(machine, image)
        with machine.camera() as url:
            config.write_text(CONFIG.format(url=url))
            in_container(machine, image, "camgate", "reload")
            eventually(lambda: "camera live" in machine.log.read_text(), machine.log.read_text)
            machine.visit("http://127.0.0.1:8107/whep/front")
        assert in_container(machine, image, "camgate", "--version").strip() == f"camgate {__version__}"


def in_container(machine: Machine, image: Any, *command: str) -> str:
    """Run a command as `docker exec` does: the image's user and environment."""
    uid = image["User"].partition(":")[0]
    return machine.run("env", *image["Env"], "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command)


def healthy(machine: Machine, image: Any) -> None:
    assert json.loads(in_container(machine, image, *image["Healthcheck"]["Test"][1:])) == {"status": "alive"}
