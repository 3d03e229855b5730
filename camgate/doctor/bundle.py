"""The support archive: what somebody who helps needs to know, and no secret.

One gzipped tar file, readable by its owner only, made of texts that are scrubbed one by one (`redact`).
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camgate.base.errors import RemoteError
from camgate.config.model import LoggingSettings, Settings
from camgate.doctor.redact import Hosts, hosts_of, redacted_config, scrub, scrub_all

FOLDER = "camgate-support"
MAX_LOG_BYTES = 1 << 20
MAX_LOG_LINES = 5_000
COMMAND_TIMEOUT_S = 10.0

README = """What is in this archive, which `camgate doctor --bundle` made:

doctor.json   what was found, and versions
config.toml   the config: without comments, with *** in the place of secrets and of unknown keys' values
log.txt       the last lines of the log, masked
server.json   what a running camgate told of its load and limits, where it was asked
cameras.json  what it told of its cameras

Passwords, hashes, tokens, keys and logins in URLs are replaced by ***. {hosts}
Please have a look before you send it to anybody.
"""
HIDDEN, SHOWN = (
    "Cameras' hosts are replaced by host-….",
    "Cameras' hosts are as they are; --hide-hosts replaces them.",
)


class BundleFailed(RemoteError):
    """The archive cannot be written. `reason`: a clause with what to do."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot write {self.file}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What goes into an archive. config: its text, None where there is none. log: its last lines."""

    doctor: dict[str, Any]
    config: str | None
    log: str
    server: dict[str, Any] | None
    cameras: list[dict[str, Any]] | None


def write_bundle(file: Path, contents: Contents, settings: Settings, *, hide_hosts: bool) -> None:
    """Write a support archive, which must not be there yet. Raises BundleFailed."""
    hide = Hosts(hosts_of(settings)).hide if hide_hosts else str
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BundleFailed(file, "it is there already; name another file") from None
    except OSError as error:
        raise BundleFailed(file, f"{error.strerror}; name another file") from error
    with open(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in members(contents, hide, hide_hosts=hide_hosts):
            _add(archive, name, text)


def members(contents: Contents, hide: Callable[[str], str], *, hide_hosts: bool) -> Iterator[tuple[str, str]]:
    """Yield name and text of each member."""
    yield "README.txt", README.format(hosts=HIDDEN if hide_hosts else SHOWN)
    yield "doctor.json", hide(_json(contents.doctor))
    if contents.config is not None:
        yield "config.toml", hide(redacted_config(contents.config))
    yield "log.txt", hide(scrub(contents.log))
    if contents.server is not None:
        yield "server.json", hide(_json(contents.server))
    if contents.cameras is not None:
        yield "cameras.json", hide(_json(contents.cameras))


def _json(value: Any) -> str:
    return json.dumps(scrub_all(value), indent=2, ensure_ascii=False) + "\n"


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode(errors="backslashreplace")
    member = tarfile.TarInfo(f"{FOLDER}/{name}")
    member.size, member.mtime, member.mode = len(data), int(time.time()), 0o600
    archive.addfile(member, io.BytesIO(data))


def last_log_lines(settings: LoggingSettings) -> str:
    """Return the last lines of the log: of the newest file, else of the journal; or why there are none."""
    if settings.output == "console":
        return _journal() or "(the log goes to the console, and there is no journal of a unit named camgate)\n"
    files = sorted(settings.directory.glob("camgate-*.log"), key=_modified)
    if not files:
        return f"(no log file in {settings.directory.absolute()})\n"
    try:
        with files[-1].open("rb") as stream:
            stream.seek(max(0, files[-1].stat().st_size - MAX_LOG_BYTES))
            return last_lines(stream.read(MAX_LOG_BYTES))
    except OSError as error:
        return f"({files[-1]} cannot be read: {error.strerror})\n"


def last_lines(data: bytes) -> str:
    """Return the last whole lines: of a secret that is cut in two, nobody would know the second half."""
    lines = data.decode(errors="replace").splitlines(keepends=True)
    if len(data) >= MAX_LOG_BYTES:
        del lines[0]
    return "".join(lines[-MAX_LOG_LINES:])


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _journal() -> str:
    if shutil.which("journalctl") is None:
        return ""
    command = ["journalctl", "--unit=camgate", f"--lines={MAX_LOG_LINES}", "--no-pager", "--quiet", "--output=cat"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return last_lines(done.stdout[-MAX_LOG_BYTES:])
