"""The file that `camgate init` writes: small, commented, and in order as it stands."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import tomli_w

from camgate.config.errors import ConfigError, Problem, key_in_words
from camgate.config.load import parse
from camgate.config.schema import CAMERAS

_HEAD = """\
# camgate: cameras in the browser. `camgate check FILE` says whether this file is in order, `camgate run --config FILE`
# shows the cameras. What is not written here has its default; etc/camgate.toml in camgate's source explains all keys.

# [server]
# listen = "127.0.0.1:8107"     # pages and API; "0.0.0.0:8107" to be reached by other machines: without a
#                               # password, so `camgate run` wants --insecure
# max_viewers = 1000

# [webrtc]
# port = 8108                   # UDP, for the media of all viewers; open it in the firewall
# advertise = ["auto"]          # add this machine's public address if it is behind NAT or in a container

# [rtsp_server]
# listen = "127.0.0.1:8554"     # every camera at rtsp://HOST:8554/NAME, for VLC, ffmpeg or a recorder

# [logging]
# output = "both"               # "console", "file" or "both"
# directory = "logs"            # made if it is missing; such as "/var/log/camgate" if camgate's user may write there

# One table a camera; its name becomes part of URLs. `camgate probe URL` tells whether a camera answers.
# A login belongs into username and password, or password = "${NAME}" from the environment, or password_file.
"""

_EXAMPLE = {
    "front": "rtsp://192.0.2.10:554/stream1",
}

_EXAMPLE_LOGIN = """\
# username = "viewer"
# password_file = "front.password"
"""


def starter_text(cameras: Mapping[str, str]) -> str:
    """Return a config with these cameras (name -> URL), or with an example where there are none."""
    tables = tomli_w.dumps({"cameras": {name: {"url": url} for name, url in (cameras or _EXAMPLE).items()}})
    return f"{_HEAD}{tables}{'' if cameras else _EXAMPLE_LOGIN}"


def checked_starter_text(file: Path, cameras: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return a config with these cameras (`NAME=URL` each) that is in order. Raises ConfigError, which names `file`."""
    urls: dict[str, str] = {}
    for camera in cameras:
        name, url = _named(file, camera)
        if name in urls:
            sentence = "is there twice; each camera needs a name of its own"
            raise ConfigError((Problem(str(file), sentence, key=key_in_words((CAMERAS, name))),))
        urls[name] = url
    text = starter_text(urls)
    parse(text, environ, file=str(file), directory=file.parent)
    return text


def write_starter(file: Path, cameras: Sequence[str], environ: Mapping[str, str], *, overwrite: bool = False) -> None:
    """Write a starter config, readable by its owner alone since it may hold passwords.

    cameras: `NAME=URL` each. Raises ConfigError, also where the file is there already and `overwrite` is not set.
    """
    text = checked_starter_text(file, cameras, environ)
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
