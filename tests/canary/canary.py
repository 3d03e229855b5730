"""The canary: one password that tests put wherever a secret can stand, and the search for where it came out.

Tests that hand the canary in as a file (a config, a password file) keep that file under a folder named `planted`;
anything else that holds it leaked it.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

USERNAME = "viewer"
CANARY = "kanari-9f3b2c71-vogel"
PLANTED = "planted"

FORMS = (
    CANARY.encode(),
    quote(CANARY, safe="").replace("-", "%2D").encode(),
    base64.b64encode(f"{USERNAME}:{CANARY}".encode()),
)
"""The canary as it is, percent-encoded, and as HTTP and RTSP Basic authentication carry it."""


def holds_canary(data: bytes) -> bool:
    """Whether the canary stands in `data` in any of its forms."""
    return any(form in data for form in FORMS)


def files_with_canary(folder: Path) -> Iterator[Path]:
    """Yield each file under `folder` that holds the canary, those in `planted` folders left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and PLANTED not in path.relative_to(folder).parts and holds_canary(path.read_bytes()):
            yield path


def processes_with_canary() -> Iterator[str]:
    """Yield the command line of each running process that shows the canary in it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue  # the process has ended since
        if holds_canary(line):
            yield line.replace(b"\0", b" ").decode(errors="replace")
