"""From a config of go2rtc (`go2rtc.yaml`): streams from cameras that speak RTSP, ports, logins, servers for ICE.

go2rtc connects to a camera while somebody watches, unless `preload` names it; so does what comes out here. Of a
stream's sources the first that is an RTSP URL becomes the camera, the second its sub-stream. What `ffmpeg:` makes of a
camera for browsers (`#video=h264`, `#audio=opus`) camgate makes by itself, so that such a source counts as its URL.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from camgate.config.schema import SUB, SUB_KEYS
from camgate.moving.draft import REFERENCE, Draft, Place
from camgate.moving.mediamtx import listen_on_all
from camgate.moving.tree import Node
from camgate.wire.rtsp.url import DEFAULT_PORTS

NAME = "go2rtc"
MARKS = frozenset({"streams", "preload", "ffmpeg", "homekit", "hass", "ngrok", "webtorrent"})
"""Keys of the top that nobody else has."""

LEVELS = {"trace": "debug", "debug": "debug", "info": "info", "warn": "warning", "error": "error"}
LEVELS |= {"fatal": "error", "panic": "error", "disabled": "error"}

SECTIONS_WITHOUT = {
    "ffmpeg": "camgate starts no ffmpeg; [transcode] says what may be made of streams that browsers do not take",
    "exec": "camgate starts no programs",
    "echo": "camgate starts no programs",
    "publish": "camgate sends streams nowhere by itself; whoever wants one fetches it from [rtsp_server]",
    "homekit": "camgate speaks no HomeKit",
    "hass": "camgate reads nothing out of Home Assistant; write each camera's URL",
    "rtmp": "camgate speaks no RTMP",
    "srtp": "camgate speaks no HomeKit, which it is for",
    "hls": "camgate serves no HLS: browsers play by WebRTC, recorders by RTSP",
    "mp4": "camgate serves no MP4: browsers play by WebRTC, recorders by RTSP",
    "ngrok": "camgate makes no tunnels; see docs/connectivity.md",
    "webtorrent": "camgate makes no tunnels; `camgate share create` makes a link for a while",
    "pinggy": "camgate makes no tunnels; see docs/connectivity.md",
}

RTSP_ADDRESS = ":8554"
"""Where go2rtc serves RTSP when its file does not say."""

STUN_SERVERS = ("stun:stun.cloudflare.com:3478", "stun:stun.l.google.com:19302")
"""Whom go2rtc asks where its file names none."""

LONGEST_TIMEOUT_S = 300
"""As `schema` has it."""

_VARIABLE = re.compile(r"\$\{([^}{]+)\}")
_SCHEME = re.compile(r"[a-z][a-z0-9+-]{1,20}")
_RTSP = re.compile(r"rtsp[sx]?://", re.IGNORECASE)
_AUTHORITY = re.compile(r"(rtsps?://(?:[^/?#]*@)?)([^/?#]+)", re.IGNORECASE)
_PORT = re.compile(r":[0-9]+\Z")
_HARMLESS = frozenset({"video", "audio", "backchannel", "hardware", "async", "input"})
"""Parameters that say how go2rtc shall do what camgate does anyway, or whether it talks back."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a stream: a URL, and what is behind each `#`. of: its key, for notes.

    scheme: in lower case; where the URL begins with a variable, that of the variable's value.
    """

    url: str
    scheme: str
    parameters: Mapping[str, str]
    node: Node
    of: str


def resolve_variables(text: str, environ: Mapping[str, str]) -> str:
    """Return the text of a file with the defaults of `${NAME:DEFAULT}` put in, where the environment has no NAME."""

    def resolved(found: re.Match[str]) -> str:
        name, colon, default = found[1].partition(":")
        if colon and name not in environ:
            return default
        return f"${{{name}}}"

    return _VARIABLE.sub(resolved, text)


def import_go2rtc(top: Node, draft: Draft, environ: Mapping[str, str]) -> None:
    """Fill `draft` from a tree. environ: for variables where camgate's config takes none."""
    draft.reads_environment = True
    readers = {"api": _api, "rtsp": _rtsp, "webrtc": _webrtc, "log": _log}
    for name, section in top.entries.items():
        if name in readers:
            readers[name](_Keys(name, section, draft, environ), draft)
        elif name not in ("streams", "preload") and not section.says_nothing:
            draft.note(name, section, SECTIONS_WITHOUT.get(name, "has no counterpart"))
    if "rtsp" not in top.entries:
        _rtsp(_Keys("rtsp", Node(top.line, {}), draft, environ), draft)
    preloaded = set(top.entries.get("preload", Node(1, {})).entries)
    for name, stream in top.entries.get("streams", Node(1, {})).entries.items():
        _camera(name, stream, name in preloaded, draft, environ)


class _Keys:
    """The keys of a section; those that nobody asks for are told in the end."""

    def __init__(self, name: str, section: Node, draft: Draft, environ: Mapping[str, str]) -> None:
        self._name = name
        self._entries = dict(section.entries)
        self._draft = draft
        self._environ = environ

    def key(self, key: str) -> str:
        """Return how a key is told."""
        return f"{self._name}.{key}"

    def take_or(self, key: str, default: str) -> Node | None:
        """As `take`, with what go2rtc does where the key is not there; an empty text is there, and switches off."""
        if self._entries.get(key, Node(1, None)).value is None:
            return Node(1, default)
        return self.take(key)

    def take(self, key: str) -> Node | None:
        """Return a value that says something, variables in it replaced; None where there is none."""
        node = self._entries.pop(key, None)
        if node is None or node.says_nothing:
            return None
        if not isinstance(node.value, str):
            return node
        text = _VARIABLE.sub(lambda found: self._environ.get(found[1], found[0]), node.value)
        if _VARIABLE.search(text):
            self._draft.note(
                self.key(key), node, "names an environment variable that is not set; set it and import again"
            )
            return None
        return Node(node.line, text)

    def login(self) -> tuple[str, str, Node] | None:
        """Return user name and password, where both are given."""
        name, password = self.take("username"), self.take("password")
        return (name.text, password.text, password) if name and password else None

    def tell_rest(self) -> None:
        """Tell of what was not taken and says something."""
        for key, node in self._entries.items():
            if not node.says_nothing:
                self._draft.note(self.key(key), node, "has no counterpart")


def _api(keys: _Keys, draft: Draft) -> None:
    listen, tls_listen = keys.take("listen"), keys.take("tls_listen")
    certificate, key = keys.take("tls_cert"), keys.take("tls_key")
    if tls_listen and certificate and "-----BEGIN" not in certificate.text:
        draft.put("server", "listen", listen_on_all(tls_listen.text), tls_listen, keys.key("tls_listen"))
        draft.put("server", "tls_certificate", certificate.text, certificate, keys.key("tls_cert"))
        if key:
            draft.put("server", "tls_key", key.text, key, keys.key("tls_key"))
    else:
        if tls_listen:
            sentence = "needs its certificate in a file here: server.tls_certificate (docs/tls.md)"
            draft.note(keys.key("tls_listen"), tls_listen, sentence)
        if listen:
            draft.put("server", "listen", listen_on_all(listen.text), listen, keys.key("listen"))
    if (origin := keys.take("origin")) is not None:
        draft.extend("server", "cors_origins", [origin.text], origin, keys.key("origin"))
    if (base := keys.take("base_path")) is not None:
        sentence = "is told by the proxy here, in X-Forwarded-Prefix (docs/proxies.md)"
        draft.note(keys.key("base_path"), base, sentence)
    keys.take("local_auth")  # camgate always asks
    if login := keys.login():
        name, password, node = login
        draft.add_user(name, password, ["admin"], node, keys.key("username"))
    keys.tell_rest()


def _rtsp(keys: _Keys, draft: Draft) -> None:
    if listen := keys.take_or("listen", RTSP_ADDRESS):
        draft.put("rtsp_server", "listen", listen_on_all(listen.text), listen, keys.key("listen"))
        draft.tables["rtsp_server"]["udp"] = False  # as go2rtc; its WebRTC has one of the two ports
    if (query := keys.take("default_query")) and query.text != "video&audio":
        draft.note(keys.key("default_query"), query, "has no counterpart: players get picture and sound")
    if login := keys.login():
        name, password, node = login
        draft.add_player(name, password, node, keys.key("username"))
        sentence = "is asked of programs on this machine, too, which go2rtc lets in without"
        draft.note(keys.key("username"), node, sentence)
    keys.tell_rest()


def _webrtc(keys: _Keys, draft: Draft) -> None:
    port = 0
    if listen := keys.take("listen"):
        number = listen.text.partition("/")[0].rpartition(":")[2]  # a network may follow: `:8555/tcp`
        port = int(number) if number.isascii() and number.isdigit() else 0
        draft.put("webrtc", "port", port or listen.text, listen, keys.key("listen"))
    if candidates := keys.take("candidates"):
        of = keys.key("candidates")
        for each in candidates.elements:
            host, _, own_port = each.text.rpartition(":")
            if own_port.isascii() and own_port.isdigit() and port and int(own_port) != port:
                draft.note(of, each, "names another port than listen; camgate is reached at webrtc.port only")
            advertised = host or each.text
            if not draft.tables["webrtc"].get("advertise"):
                draft.tables["webrtc"]["advertise"] = ["auto"]
            draft.extend("webrtc", "advertise", [advertised], each, of)
    if servers := keys.take("ice_servers"):
        of = keys.key("ice_servers")
        for each in servers.elements:
            entries = each.entries
            user, password = (entries.get(key, Node(each.line, "")).text for key in ("username", "credential"))
            for url in entries.get("urls", Node(each.line, [])).elements:
                draft.add_ice_server(url.text, user, password, url, of)
    advertised = draft.tables["webrtc"].get("advertise", [])
    if "stun" in advertised and not draft.tables["webrtc"].get("stun"):
        draft.tables["webrtc"]["stun"] = list(STUN_SERVERS)
    keys.tell_rest()


def _log(keys: _Keys, draft: Draft) -> None:
    if level := keys.take("level"):
        draft.put("logging", "level", LEVELS.get(level.text, level.text), level, keys.key("level"))
    if (output := keys.take("output")) and output.text not in ("stdout", "stderr"):
        draft.note(keys.key("output"), output, "names a file; camgate's files are set by logging.output and directory")
    keys.take("time")  # every line has it
    keys.take("format")
    keys.tell_rest()


def _camera(name: str, stream: Node, is_preloaded: bool, draft: Draft, environ: Mapping[str, str]) -> None:
    of, told = f"streams.{name}", len(draft.notes)
    streams = [
        (table, source)
        for source in _sources(name, stream, of, draft, environ)
        if (table := _table(source, draft, environ)) is not None
    ]
    if not streams:
        if len(draft.notes) == told:
            draft.note(of, stream, "has no source of its own that speaks RTSP; it is left out")
        return
    (main, _), *others = streams
    # Often once for the picture, and once through ffmpeg for sound that browsers take.
    others = [(table, source) for table, source in others if table["url"] != main["url"]]
    places: dict[str, Place] = {}
    if others:
        table, source = others[0]
        sub = {key: value for key, value in table.items() if key in SUB_KEYS}
        if is_of_same_login(main, sub):
            sub = {key: value for key, value in sub.items() if key not in ("username", "password")}
        main[SUB] = sub
        places[SUB] = source.node, source.of
    if others[1:]:
        draft.note(of, stream, "has more than two sources; camgate takes a camera's main stream and one sub-stream")
    draft.add_camera(name, main if is_preloaded else {**main, "on_demand": True}, stream, of, places)


def _sources(name: str, stream: Node, of: str, draft: Draft, environ: Mapping[str, str]) -> Iterator[Source]:
    """Return those sources that are RTSP, and tell of the others."""
    for index, node in enumerate(stream.elements):
        key = of if not isinstance(stream.value, list) else f"{of}[{index}]"
        text, is_made = node.text.removeprefix("ffmpeg:"), node.text.startswith("ffmpeg:")
        scheme = ""
        if begin := _VARIABLE.match(text):
            value = environ.get(begin[1], "")
            found = _RTSP.match(value.removeprefix("ffmpeg:"))
            if not found:
                state = "holds no RTSP URL" if value else "is not set here; set it and import again"
                draft.note(key, node, f"begins with an environment variable that {state}")
                continue
            if _can_stay(begin[1], value):
                scheme = value.partition("://")[0].lower()
            else:
                text = value.removeprefix("ffmpeg:") + text[begin.end() :]
                draft.note(key, node, "begins with an environment variable, whose value is in the config now")
        url, *behind = text.split("#")
        parameters = {word.partition("=")[0]: word.partition("=")[2] for word in behind}
        if (scheme or _RTSP.match(url)) and not parameters.get("transport", "").startswith("ws"):
            yield Source(url, scheme or url.partition("://")[0].lower(), parameters, node, key)
        elif is_made and "://" not in url and not url.startswith(("device", "virtual", "/")):
            _tell_parameters(parameters, node, key, draft)
            if url != name:
                sentence = "is made of another stream; camgate makes what a browser needs of each camera by itself"
                draft.note(key, node, sentence)
        elif url.startswith("onvif://"):
            sentence = "asks the camera by ONVIF for its URL; `camgate probe --onvif HOST` prints the lines for it"
            draft.note(key, node, sentence)
        else:
            kind, colon, _ = url.partition(":")
            how = kind if colon and _SCHEME.fullmatch(kind) else "something else"
            how = "RTSP over WebSocket" if scheme or _RTSP.match(url) else how
            draft.note(key, node, f"comes by {how}; camgate fetches by RTSP only")


def _can_stay(name: str, value: str) -> bool:
    """Whether a variable that a URL begins with can stand in a config, as its value means the same to camgate."""
    is_name = REFERENCE.fullmatch(f"${{{name}}}") is not None
    is_plain = _AUTHORITY.match(value) is not None and "#" not in value
    return is_name and is_plain and (value.lower().startswith("rtsp:") or with_port(value) == value)


def _tell_parameters(parameters: Mapping[str, str], node: Node, of: str, draft: Draft) -> None:
    for parameter in sorted(parameters.keys() - _HARMLESS):
        draft.note(of, node, f"#{parameter if _SCHEME.fullmatch(parameter) else '…'} has no counterpart")


def _table(source: Source, draft: Draft, environ: Mapping[str, str]) -> dict[str, Any] | None:
    scheme, parameters = source.scheme, dict(source.parameters)
    if source.url.startswith("${"):
        table: dict[str, Any] | None = {"url": draft.secret(source.url)}
    else:
        table = draft.stream(f"{scheme.replace('x', 's')}{source.url[len(scheme) :]}", source.node, source.of)
    if table is None:
        return None
    if scheme != "rtsp":
        table["url"] = with_port(str(table["url"]), environ)
    if scheme == "rtspx":
        table["tls_insecure"] = True
        draft.note(source.of, source.node, "takes any certificate; tls_fingerprint is better, `camgate probe` shows it")
    elif scheme == "rtsps":
        sentence = (
            "has its certificate checked, which go2rtc does for names only; tls_fingerprint trusts the camera's own"
        )
        draft.note(source.of, source.node, f"{sentence} (`camgate probe`)")
    transport = parameters.pop("transport", parameters.pop("input", "").removeprefix("rtsp/"))
    if transport in ("tcp", "http") or (transport == "udp" and scheme == "rtsp"):
        table["transport"] = transport
    timeout = parameters.pop("timeout", "")
    if timeout.isascii() and timeout.isdigit() and 0 < int(timeout) <= LONGEST_TIMEOUT_S:
        table["connect_timeout_s"] = float(timeout)
    if parameters.pop("media", "") == "video":
        table["audio"] = False
    _tell_parameters(parameters, source.node, source.of, draft)
    return table


def is_of_same_login(main: Mapping[str, Any], sub: Mapping[str, Any]) -> bool:
    """Whether a sub-stream has its login from the camera when it says none itself."""
    authorities = [_AUTHORITY.match(str(table["url"])) for table in (main, sub)]
    hosts = {_PORT.sub("", found[2]) if found else None for found in authorities}
    logins = {(table.get("username"), table.get("password")) for table in (main, sub)}
    return len(hosts) == len(logins) == 1 and None not in hosts


def with_port(url: str, environ: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return an rtsps URL with the port that go2rtc takes where it names none: 554 for TLS, too.

    environ: for the variables that the host can be in, and its port with it.
    """
    found = _AUTHORITY.match(url)
    if not found or _PORT.search(_VARIABLE.sub(lambda each: environ.get(each[1], ""), found[2])):
        return url
    return f"{found[1]}{found[2].removesuffix(':')}:{DEFAULT_PORTS['rtsp']}{url[found.end() :]}"
