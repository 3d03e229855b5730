"""The file that `camgate init` writes: small, commented, and in order as it stands."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import tomli_w

from camgate.config.errors import ConfigError, Problem, key_in_words
from camgate.config.load import parse
from camgate.config.schema import CAMERAS
from camgate.config.version import VERSION

ADMIN = "admin"
"""The first user."""

_HEAD = """\
# camgate: cameras in the browser. `camgate check FILE` says whether this file is in order, `camgate run --config FILE`
# shows the cameras. What is not written here has its default; etc/camgate.toml in camgate's source explains all keys.

version = {version}

{server}
# [webrtc]
# port = 8108                   # UDP and TCP, for the media of all viewers; open both
# advertise = ["auto"]          # add this machine's public address if it is behind NAT or in a container

# [rtsp_server]
# listen = "127.0.0.1:8554"     # every camera at rtsp://HOST:8554/NAME, for VLC, ffmpeg or a recorder

# [logging]
# output = "both"               # "console", "file" or "both"
# directory = "logs"            # made if it is missing; such as "/var/log/camgate" if camgate's user may write there

# One table a camera; its name becomes part of URLs. `camgate probe URL` tells whether a camera answers.
# A login belongs into username and password, or password = "${{NAME}}" from the environment, or password_file.
"""

_SERVER = """\
[server]
listen = "0.0.0.0:8107"         # pages and API, on all addresses of this machine; "127.0.0.1:8107" for itself only
# max_viewers = 1000

# Who signs in, a table each: `camgate user hash NAME` asks for a password and prints one. "viewer" is the role of those
# who may only watch; docs/access.md tells how to give away some cameras only.
{admin}"""

_OPEN_SERVER = """\
# [server]
# listen = "127.0.0.1:8107"     # pages and API; to be reached by other machines, such as with "0.0.0.0:8107", camgate
#                               # wants users: `camgate user hash NAME` asks for a password and prints one's table
# max_viewers = 1000
"""

_EXAMPLE = {
    "front": "rtsp://192.0.2.10:554/stream1",
}

_EXAMPLE_LOGIN = """\
# username = "viewer"
# password_file = "front.password"
"""


def user_table(name: str, password_hash: str, roles: Sequence[str]) -> str:
    """Return a user as a config file has it; the names of roles need no escaping."""
    # A table's last line is its header when it is empty.
    header = tomli_w.dumps({"auth": {"users": {name: {}}}}).splitlines()[-1]
    listed = ", ".join(f'"{role}"' for role in roles)
    return f'{header}\npassword_hash = "{password_hash}"\nroles = [{listed}]\n'


def starter_text(cameras: Mapping[str, str], password_hash: str | None = None) -> str:
    """Return a config with these cameras (name -> URL), or with an example where there are none.

    password_hash: the administrator's; without one there are no users, and camgate listens on loopback only.
    """
    server = _OPEN_SERVER
    if password_hash is not None:
        server = _SERVER.format(admin=user_table(ADMIN, password_hash, ["admin"]))
    tables = tomli_w.dumps({"cameras": {name: {"url": url} for name, url in (cameras or _EXAMPLE).items()}})
    return f"{_HEAD.format(version=VERSION, server=server)}{tables}{'' if cameras else _EXAMPLE_LOGIN}"


def checked_starter_text(
    file: Path, cameras: Sequence[str], environ: Mapping[str, str], password_hash: str | None = None
) -> str:
    """Return a config with these cameras (`NAME=URL` each) that is in order. Raises ConfigError, which names `file`."""
    urls: dict[str, str] = {}
    for camera in cameras:
        name, url = _named(file, camera)
        if name in urls:
            sentence = "is there twice; each camera needs a name of its own"
            raise ConfigError((Problem(str(file), sentence, key=key_in_words((CAMERAS, name))),))
        urls[name] = url
    text = starter_text(urls, password_hash)
    parse(text, environ, file=str(file), directory=file.parent)
    return text


def write_starter(
    file: Path,
    cameras: Sequence[str],
    environ: Mapping[str, str],
    password_hash: str | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a starter config, readable by its owner alone since it may hold passwords.

    cameras: `NAME=URL` each. Raises ConfigError, also where the file is there already and `overwrite` is not set.
    """
    write_config(file, checked_starter_text(file, cameras, environ, password_hash), overwrite=overwrite)


def refuse_existing(file: Path) -> None:
    """Raise ConfigError where a file is there already; for who would else find out after some work."""
    if os.path.lexists(file):
        sentence = "is there already; name another file, or overwrite it with --force"
        raise ConfigError((Problem(str(file), sentence),))


def write_config(file: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a config, readable by its owner alone. Raises ConfigError, also where one is there that shall stay."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if overwrite else os.O_EXCL)
    try:
        with open(os.open(file, flags, 0o600), "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o600)  # an overwritten file has kept its mode
            stream.write(text)
    except FileExistsError:
        sentence = "is there already; name another file, or overwrite it with --force"
        raise ConfigError((Problem(str(file), sentence),)) from None
    except OSError as error:
        sentence = f"cannot be written: {error.strerror or error}; name another file"
        raise ConfigError((Problem(str(file), sentence),)) from None


def _named(file: Path, camera: str) -> tuple[str, str]:
    name, equals, url = camera.partition("=")
    if not equals:
        raise ConfigError((Problem(str(file), "is not NAME=URL; write --camera front=rtsp://…", key="--camera"),))
    return name, url
