"""Makes camgate a service of systemd where pip has installed it: what is to be done, and doing it.

    for step in steps_to_install(Place(), program):
        print(step)
        step.do()

What is as it should be makes no step, but commands that change nothing the second time are run again. Only what camgate
has written is overwritten or removed; drop-ins, the config, the state and the user stay.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from camgate.base.errors import LocalError
from camgate.base.shipped import shipped

UNIT = "camgate.service"
ENCODERS = "hardware-encoders.conf"
PACKAGED_PROGRAM = "/usr/bin/camgate"
"""What the unit runs as it is shipped."""
MARK = "# Written by `camgate service install`. Change it by `systemctl edit camgate`, which lasts.\n"
BOOTED = Path("/run/systemd/system")
"""sd_booted(3): there while systemd runs this machine."""
HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""ProtectHome=yes takes these away from the service."""
COMMAND_TIMEOUT_S = 120.0

_PLAIN = re.compile(r"[A-Za-z0-9/._+@-]+")


class CannotInstall(LocalError):
    """Something stands against it; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """A system's tree of files: this one's, or, below `root`, one that is being made."""

    root: Path = Path("/")

    @property
    def is_here(self) -> bool:
        """Say whether it is the system that runs."""
        return self.root == Path("/")

    @property
    def unit(self) -> Path:
        """Where administrators put units."""
        return self.root / "etc/systemd/system" / UNIT

    @property
    def sysusers(self) -> Path:
        """What has the user made at the next boot as well."""
        return self.root / "etc/sysusers.d/camgate.conf"

    @property
    def encoders(self) -> Path:
        """The drop-in that opens hardware encoders."""
        return self.root / "etc/systemd/system" / f"{UNIT}.d" / ENCODERS

    @property
    def buffers(self) -> Path:
        """What has the kernel give more room to UDP."""
        return self.root / "etc/sysctl.d/90-camgate.conf"

    @property
    def packaged(self) -> tuple[Path, ...]:
        """Where packages put units."""
        return self.root / "usr/lib/systemd/system" / UNIT, self.root / "lib/systemd/system" / UNIT

    @property
    def config(self) -> Path:
        """What the service reads."""
        return self.root / "etc/camgate/camgate.toml"

    def command(self, program: str, *arguments: str) -> tuple[str, ...]:
        """Return a command of systemd's for this tree."""
        return (program, *arguments) if self.is_here else (program, f"--root={self.root}", *arguments)


class Step(Protocol):
    """One thing to do; `str` of it says what."""

    def do(self) -> None:
        """Do it. Raises CannotInstall."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file that anybody may read."""

    file: Path
    text: str

    def __str__(self) -> str:
        return f"write {self.file}"

    def do(self) -> None:
        """See `Step`."""
        try:
            self.file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.file.write_text(self.text)
            self.file.chmod(0o644)
        except OSError as error:
            raise CannotInstall(f"cannot write {self.file}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file."""

    file: Path

    def __str__(self) -> str:
        return f"remove {self.file}"

    def do(self) -> None:
        """See `Step`."""
        try:
            self.file.unlink(missing_ok=True)
        except OSError as error:
            raise CannotInstall(f"cannot remove {self.file}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command of systemd's."""

    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"run {' '.join(self.command)}"

    def do(self) -> None:
        """See `Step`."""
        run(self.command)


def run(command: tuple[str, ...]) -> str:
    """Run a command of systemd's to its end and return what it printed. Raises CannotInstall."""
    words = " ".join(command)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise CannotInstall(
            f"{command[0]} is not there; install what has it, or start `camgate run` by other means"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"`{words}` failed: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise CannotInstall(f"`{words}` failed: {last}")
    return done.stdout


def check_root(place: Place) -> None:
    """Look whether there is such a tree, which nobody but its maker may make. Raises CannotInstall."""
    if not place.root.is_dir():
        raise CannotInstall(f"there is no directory {place.root}; --root is the tree of another system")


def check_system(place: Place, *, user_id: int, booted: Path = BOOTED) -> None:
    """Look whether services can be changed. Raises CannotInstall."""
    if not place.is_here:
        return
    check_booted(booted)
    if user_id:
        raise CannotInstall("only root may do this; `sudo` with the same command, or --dry-run to see what it does")


def check_booted(booted: Path = BOOTED) -> None:
    """Look whether systemd runs this machine. Raises CannotInstall."""
    if not booted.is_dir():
        raise CannotInstall("systemd does not run this machine (a container?); have `camgate run` started by what does")


def own_program() -> Path:
    """Return the `camgate` command of this very installation. Raises CannotInstall."""
    program = Path(sys.executable).parent / "camgate"
    if not program.exists():
        raise CannotInstall(f"there is no {program}; install camgate with pip into a virtual environment of its own")
    return program


def check_program(program: Path, *others: Path) -> None:
    """Look whether the service will be able to run `program`, which needs `others` for it. Raises CannotInstall."""
    remedy = "install camgate where every user may read, such as: /usr/bin/python3 -m venv /opt/camgate"
    if not _PLAIN.fullmatch(str(program)):
        raise CannotInstall(f"{program} has characters in its path that a unit would have to escape; {remedy}")
    for path in (program, *others):
        for seen in (path, path.resolve()):
            if any(seen.is_relative_to(hidden) for hidden in HIDDEN):
                raise CannotInstall(f"{seen} is in a home directory, where the service cannot look; {remedy}")


def steps_to_install(place: Place, program: Path, *, encoders: bool = False, buffers: bool = False) -> Iterator[Step]:
    """Yield what makes `program` a service that starts with the machine. Raises CannotInstall.

    encoders: it may use hardware that encodes. buffers: the kernel gives UDP more room.
    """
    if packaged := [unit for unit in place.packaged if unit.exists()]:
        raise CannotInstall(f"camgate is a service here already, by a package ({packaged[0]}); remove that first")
    source = shipped("systemd")
    texts = {
        place.sysusers: (source / "camgate.sysusers").read_text(),
        place.unit: (source / UNIT).read_text().replace(f"={PACKAGED_PROGRAM} ", f"={program} "),
    }
    # What was asked for once is kept up to date.
    if encoders or _is_ours(place.encoders):
        texts[place.encoders] = (source / f"{UNIT}.d" / ENCODERS).read_text()
    if buffers or _is_ours(place.buffers):
        texts[place.buffers] = (source / "camgate.sysctl.conf").read_text()
    for file, text in texts.items():
        _check_ours(file)
        if _read(file) != MARK + text:
            yield Write(file, MARK + text)
    yield Run(place.command("systemd-sysusers", str(place.sysusers)))
    if place.is_here:
        yield Run(("systemctl", "daemon-reload"))
        if buffers:
            yield Run(("sysctl", "--quiet", f"--load={place.buffers}"))
    yield Run(place.command("systemctl", "enable", UNIT))


def steps_to_uninstall(place: Place) -> Iterator[Step]:
    """Yield what ends the service; nothing when there is none. Raises CannotInstall."""
    _check_ours(place.unit)
    written = (place.unit, place.encoders, place.sysusers, place.buffers)
    ours = [file for file in written if _is_ours(file)]
    if place.unit in ours:
        yield Run(place.command("systemctl", "disable", *(["--now"] if place.is_here else []), UNIT))
    yield from map(Remove, ours)
    if place.is_here and place.unit in ours:
        yield Run(("systemctl", "daemon-reload"))


def _check_ours(file: Path) -> None:
    if _read(file) is not None and not _is_ours(file):
        raise CannotInstall(f"{file} is there, and camgate has not written it; move it away, or keep it and leave this")


def _is_ours(file: Path) -> bool:
    return (_read(file) or "").startswith(MARK)


def _read(file: Path) -> str | None:
    """Return what is in a file; None where there is none."""
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotInstall(f"cannot read {file}: {error.strerror}") from error
