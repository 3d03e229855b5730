"""From a file and the environment to Settings, or to a ConfigError that names everything that is wrong."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camgate.config.accounts import AccountReader
from camgate.config.address import split_listen
from camgate.config.cameras import CameraReader
from camgate.config.checks import section
from camgate.config.errors import ConfigError, Problem, StartError, key_in_words
from camgate.config.lines import KeyLines
from camgate.config.model import AUTO, STUN, Settings
from camgate.config.report import Report, unknown_key
from camgate.config.schema import CAMERAS, SECTIONS, WEBHOOKS
from camgate.config.turn import TurnReader
from camgate.config.users import UserReader
from camgate.config.version import KEY as VERSION_KEY
from camgate.config.version import take_version
from camgate.config.webhooks import WebhookReader

SYSTEM_FILE = Path("/etc/camgate/camgate.toml")
LOCAL_FILE = Path("camgate.toml")

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Ten thousand cameras fit; `/dev/zero` does not."""

_TOML_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_TOML_DUPLICATE_TABLE = re.compile(r"Cannot declare \((.*)\) twice")
_TOML_QUOTED = re.compile(r"'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\"")


def find_config_file(given: Path | None) -> Path:
    """Return the file to load: the one that was asked for, else the system's, else one in the working directory."""
    if given:
        return given
    for file in (SYSTEM_FILE, LOCAL_FILE):
        if file.exists():
            return file
    sentence = f"does not exist, nor {SYSTEM_FILE}; write one with `camgate init`, or try `camgate demo`"
    raise ConfigError((Problem(str(LOCAL_FILE), sentence),))


def load(file: Path, environ: Mapping[str, str], *, needs_cameras: bool = True) -> Settings:
    """Read a config. Raises ConfigError with all that is wrong. Secrets in it are registered with the mask of the logs.

    environ: where `${NAME}` comes from. needs_cameras: whether one without cameras is wrong.
    """
    return parse(_read(file), environ, file=str(file), directory=file.parent, needs_cameras=needs_cameras)


def parse(text: str, environ: Mapping[str, str], *, file: str, directory: Path, needs_cameras: bool = True) -> Settings:
    """Turn the text of a config into Settings; see `load`.

    file: what errors call it. directory: what a relative `password_file` is relative to.
    """
    tables = _parse_toml(text, file)
    report = Report(file, KeyLines(text))
    report.attempt((VERSION_KEY,), take_version, tables)
    report.raise_problems()  # alone: what else a newer form has, nobody here knows
    values = {name: _read_section(report, name, tables[name]) for name in SECTIONS if name in tables}
    for key in tables.keys() - SECTIONS.keys() - {CAMERAS, WEBHOOKS}:
        report.add((key,), unknown_key(key, [*SECTIONS, CAMERAS, WEBHOOKS]))
    cameras = {}
    # An empty table says that there are none yet; without it they have been forgotten.
    if tables.get(CAMERAS, {}) != {} or (needs_cameras and CAMERAS not in tables):
        cameras = CameraReader(report, directory, environ).read_all(tables.get(CAMERAS, {}))
    webhooks = WebhookReader(report, directory, environ).read_all(tables.get(WEBHOOKS, {}))
    rtsp = values.get("rtsp_server", {})
    if "users" in rtsp:
        rtsp["users"] = UserReader(report, directory, environ).read_all(rtsp["users"])
    for name in ("server", "rtsp_server"):
        _complete_tls(report, name, values.get(name, {}), directory)
    if "state_directory" in (server := values.get("server", {})):
        server["state_directory"] = directory / server["state_directory"]
    if server.get("unix_socket") not in (None, "", AUTO):
        server["unix_socket"] = str(directory / server["unix_socket"])
    webrtc = values.get("webrtc", {})
    if "turn" in webrtc:
        webrtc["turn"] = TurnReader(report, directory, environ).read_all(webrtc["turn"])
    if STUN in webrtc.get("advertise", ()) and not tables["webrtc"].get("stun"):
        sentence = 'names stun, and there is no STUN server to ask; write stun = ["stun:HOST:PORT"] as well'
        report.add(("webrtc", "advertise"), sentence)
    if "auth" in values:
        AccountReader(report, directory).read_into(values["auth"])
    _check_ports(report, values)
    report.raise_problems()
    sections: dict[str, Any] = {name: SECTIONS[name].settings(**values[name]) for name in values}
    return Settings(cameras=cameras, webhooks=webhooks, **sections)


def start_problem(error: StartError, file: Path | None) -> Problem:
    """Return a StartError as a line that also says where its key stands; `file` is None for settings without a file."""
    if file is None:
        return Problem("camgate", error.sentence, key=error.key)
    try:
        line = KeyLines(_read(file)).known.get(tuple(error.key.split(".")))
    except ConfigError:
        line = None
    return Problem(str(file), error.sentence, line, error.key)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError((Problem(str(file), _unreadable(error)),)) from None
    if len(raw) > MAX_FILE_BYTES:
        sentence = f"is larger than {MAX_FILE_BYTES} bytes; name a config file"
        raise ConfigError((Problem(str(file), sentence),))
    try:
        return raw.decode("utf-8-sig")  # editors on Windows put a byte order mark first
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError((Problem(str(file), "is not UTF-8 text; save it as UTF-8", line),)) from None


def _unreadable(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist; write one with `camgate init`, or name another"
        case IsADirectoryError():
            return "is a directory; name the file in it"
        case PermissionError():
            return "may not be read by this user; change its owner or mode"
        case _:
            return f"cannot be read: {error.strerror or error}; name another file"


_TOML_REMEDY = "write key = value, with quotes around text"
_TOML_REMEDIES = {
    "Unescaped '\\'": r"write \\ for \, or 'single quotes' around the text",
    "Expected ']' at the end of a table declaration": "write [cameras.NAME], a NAME of letters, digits, - and _",
}
"""How some of tomllib's messages begin, and what would be right there."""


def _parse_toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_toml_problem(str(error), text, file),)) from None
    except RecursionError:
        raise ConfigError((Problem(file, "is nested too deeply; write tables as [server]"),)) from None
    except ValueError:  # a number of more digits than Python converts
        raise ConfigError((Problem(file, "holds a number that is too long; write a shorter one"),)) from None


def _toml_problem(message: str, text: str, file: str) -> Problem:
    """Return tomllib's message as ours: with the line in front, and in our words where it would be a riddle."""
    place = _TOML_PLACE.search(message)
    line = int(place["line"]) if place and place["line"] else text.rstrip().count("\n") + 1
    reason = _TOML_PLACE.sub("", message)
    if duplicate := _TOML_DUPLICATE_TABLE.search(reason):
        keys = [first or second for first, second in _TOML_QUOTED.findall(duplicate[1])]
        what = "camera needs a name of its own" if keys[:1] == [CAMERAS] else "table may stand only once"
        return Problem(file, f"is there twice; each {what}", line, key_in_words(tuple(keys)))
    if reason.startswith("Cannot overwrite a value"):
        return Problem(file, "the key of this line is there twice; keep one of them", line)
    right = next((words for begin, words in _TOML_REMEDIES.items() if reason.startswith(begin)), _TOML_REMEDY)
    reason = reason[:1].lower() + reason[1:]
    return Problem(file, f"is not TOML: {reason}; {right}", line)


def _read_section(report: Report, name: str, table: object) -> dict[str, Any]:
    tables = report.attempt((name,), section, table, f"[{name}]")
    return report.read_keys((name,), tables or {}, SECTIONS[name].keys)


def _complete_tls(report: Report, name: str, values: dict[str, Any], directory: Path) -> None:
    """Have a section's certificate and key begin at the config's folder, and look at what belongs together."""
    for key in ("tls_certificate", "tls_key"):
        if values.get(key):
            values[key] = str(directory / values[key])
    if not values.get("tls_certificate"):
        for key in ("tls_key", "redirect_listen", "hsts_s"):
            if values.get(key):
                report.add((name, key), "is given without tls_certificate; write that as well")


def _check_ports(report: Report, values: Mapping[str, Mapping[str, Any]]) -> None:
    """HTTP, WebRTC and RTSP listen on TCP; WebRTC and RTSP send from UDP."""
    defaults = Settings(cameras={})
    listen = values.get("server", {}).get("listen", defaults.server.listen)
    port = values.get("webrtc", {}).get("port", defaults.webrtc.port)
    http_port = split_listen(listen)[1]
    redirect = values.get("server", {}).get("redirect_listen")
    if redirect and split_listen(redirect)[1] in {http_port, port} - {0}:
        report.add(("server", "redirect_listen"), "names a port that is used already; the usual one is 80")
    if port and port == http_port:
        key = ("webrtc", "port") if "port" in values.get("webrtc", {}) else ("server", "listen")
        report.add(key, f"port {port} would be used by HTTP and by WebRTC; give each a port of its own")
    metrics = values.get("metrics", {}).get("listen")
    if metrics and split_listen(metrics)[1] in {http_port, port} - {0}:
        report.add(("metrics", "listen"), "names a port that is used already; the usual one is 9090")
    rtsp = values.get("rtsp_server", {})
    rtsp_port = split_listen(rtsp["listen"])[1] if rtsp.get("listen") else 0
    if not rtsp_port:
        return
    if rtsp_port in (http_port, port):
        user = "HTTP" if rtsp_port == http_port else "WebRTC"
        report.add(("rtsp_server", "listen"), f"port {rtsp_port} is used by {user}; give each a port of its own")
    elif rtsp.get("udp", True) and port == rtsp_port + 1:
        sentence = f"UDP port {port} is used by WebRTC, and RTSP sends from its port and the next"
        report.add(("rtsp_server", "listen"), f"{sentence}; choose another, or write udp = false")
