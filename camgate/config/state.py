"""Where camgate keeps what must survive a restart: keys, and lists of what was revoked."""

import os
from collections.abc import Mapping
from pathlib import Path

from camgate.config.errors import StartError
from camgate.config.model import ServerSettings

SYSTEM_DIRECTORY = Path("/var/lib/camgate")
KEY = "server.state_directory"


def state_directory(settings: ServerSettings, environ: Mapping[str, str]) -> Path:
    """Return the directory, which may not exist yet.

    As the config says, else as systemd does (`STATE_DIRECTORY`), else /var/lib/camgate for root, else as the XDG base
    directory specification says.
    """
    if settings.state_directory is not None:
        return settings.state_directory
    if given := environ.get("STATE_DIRECTORY"):
        # systemd.exec(5): several are separated by colons.
        return Path(given.partition(":")[0])
    if os.geteuid() == 0:
        return SYSTEM_DIRECTORY
    home = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "/"), ".local", "state")
    return Path(home) / "camgate"


def made_state_directory(settings: ServerSettings, environ: Mapping[str, str]) -> Path:
    """Return the directory, made for its owner alone where it is missing. Raises StartError."""
    directory = state_directory(settings, environ)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(None, "it may not be written")
    except OSError as error:
        sentence = f"cannot keep keys in {directory}: {error.strerror or error}; name a directory of camgate's own"
        raise StartError(KEY, sentence) from error
    return directory
