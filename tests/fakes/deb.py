"""A later version of our Debian package, to upgrade to."""

import re
import subprocess
from pathlib import Path


def newer_package(package: Path, folder: Path, *, without: Path | None = None) -> Path:
    """Build the package of a later version in a folder: its config differs, and it lacks a file. Returns it."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)-1\+", r"\1-2+", control.read_text(), flags=re.MULTILINE))
    with (tree / "etc/camgate/camgate.toml").open("a") as config:
        config.write("# of the newer version\n")
    if without is not None:
        (tree / without).unlink()
    file = folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, file], check=True)
    return file
