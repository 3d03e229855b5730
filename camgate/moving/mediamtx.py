"""From a config of MediaMTX (`mediamtx.yml`): paths that fetch from a camera, ports, logins, users, servers for ICE.

What MediaMTX does and camgate does not is told once, at the key that switches it on; keys that say what MediaMTX does
anyway, and those that say nothing, lose nothing and are passed over. Keys as of MediaMTX 1.x, and some older ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from camgate.config.model import WebRtcSettings
from camgate.moving.draft import Draft, Place
from camgate.moving.mediamtx_users import import_readers, import_users
from camgate.moving.tree import Node

NAME = "mediamtx"
MARKS = frozenset({"paths", "pathDefaults", "rtspAddress", "webrtcAddress", "authInternalUsers", "authMethod"})
"""Keys of the top that nobody else has."""

RTSP_ADDRESS, RTSPS_ADDRESS = ":8554", ":8322"
"""Where MediaMTX serves RTSP when its file does not say."""

_DURATION = re.compile(r"([0-9.]+)(ms|us|µs|ns|s|m|h|d)")
_UNIT_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
_VARIABLE = re.compile(r"\$(?:G[0-9]|MTX_)")
_OLD_TURN = re.compile(r"(?P<scheme>turns?:)(?P<name>[^:]*):(?P<secret>[^:]*):(?P<host>[^:]*:[0-9]+)")
_SCHEME = re.compile(r"[a-z][a-z0-9+-]{1,20}")
MIN_LINGER_S, MAX_LINGER_S = 1.0, 86_400.0
"""As `schema` has them."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Keys that begin alike, worth a word only where `switch` among them is on. is_on: that it is by default."""

    prefix: str
    switch: str
    words: str
    is_on: bool = False


FEATURES = (
    Feature("hls", "hls", "camgate serves no HLS: browsers play by WebRTC, recorders by RTSP", is_on=True),
    Feature("rtmp", "rtmp", "camgate speaks no RTMP", is_on=True),
    Feature("srt", "srt", "camgate speaks no SRT", is_on=True),
    Feature("moq", "moq", "camgate speaks no MoQ", is_on=True),
    Feature("pprof", "pprof", "camgate has no profiler to connect to; `camgate bench` measures"),
    Feature("playback", "playback", "camgate plays nothing back, as it records nothing"),
    Feature("api", "api", "camgate's own API is on server.listen, for signed-in users and tokens (docs/http.md)"),
    Feature("record", "record", "camgate records nothing; a recorder can fetch the camera from [rtsp_server]"),
    Feature("alwaysAvailable", "alwaysAvailable", "camgate shows no film in place of a camera that is away"),
    Feature("rpiCamera", "", ""),  # as the two below, told at another key
    Feature("whep", "", ""),
    Feature("metrics", "", ""),
)

STOCK: Mapping[str, str] = MappingProxyType(
    {
        "logStructured": "false",
        "sysLogPrefix": "mediamtx",
        "readTimeout": "10s",
        "writeTimeout": "10s",
        "writeQueueSize": "512",
        "udpMaxPayloadSize": "1452",
        "udpReadBufferSize": "0",
        "authMethod": "internal",
        "authJWTClaimKey": "mediamtx_permissions",
        "rtpAddress": ":8000",
        "rtcpAddress": ":8001",
        "multicastIPRange": "224.1.0.0/16",
        "multicastRTPPort": "8002",
        "multicastRTCPPort": "8003",
        "multicastSRTPPort": "8006",
        "multicastSRTCPPort": "8007",
        "srtpAddress": ":8004",
        "srtcpAddress": ":8005",
        "webrtcAddress": ":8889",
        "webrtcLocalUDPAddress": ":8189",
        "webrtcSTUNGatherTimeout": "5s",
        "webrtcHandshakeTimeout": "10s",
        "webrtcTrackGatherTimeout": "2s",
        "sourceOnDemandStartTimeout": "10s",
        "overridePublisher": "true",
        "moqTransport": "quic",
        "runOnDemandStartTimeout": "10s",
        "runOnDemandCloseAfter": "10s",
    }
)
"""What MediaMTX does where its file says nothing, of keys that have no counterpart here."""

STOCK_LISTS = {"rtspAuthMethods": {"basic"}, "rtspUDPSourcePortRange": {"32768", "60999"}}
LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "error": "error"}
TRANSPORTS = {"automatic": "auto", "auto": "auto", "tcp": "tcp", "udp": "udp"}
TUNNELS = {"rtsp+http": "rtsp", "rtsps+http": "rtsps"}
OLD_NAMES = {
    "sourceProtocol": "rtspTransport",
    "webrtcICEHostNAT1To1IPs": "webrtcAdditionalHosts",
    "webrtcICEUDPMuxAddress": "webrtcLocalUDPAddress",
    "webrtcICETCPMuxAddress": "webrtcLocalTCPAddress",
    "protocols": "rtspTransports",
    "encryption": "rtspEncryption",
    "serverKey": "rtspServerKey",
    "serverCert": "rtspServerCert",
    "authMethods": "rtspAuthMethods",
    "readBufferCount": "writeQueueSize",
    "webrtcAllowOrigin": "webrtcAllowOrigins",
    "externalAuthenticationURL": "authHTTPAddress",
}
OLD_SWITCHES = {"rtspDisable": "rtsp", "rtmpDisable": "rtmp", "hlsDisable": "hls", "webrtcDisable": "webrtc"}
"""What is on where the old key says no."""

TOP_KEYS = frozenset(
    {
        "paths",
        "pathDefaults",
        "logLevel",
        "logDestinations",
        "logFile",
        "authMethod",
        "authInternalUsers",
        "authHTTPAddress",
        "authHTTPExclude",
        "metrics",
        "metricsAddress",
        "rtsp",
        "rtspAddress",
        "rtspTransports",
        "rtspEncryption",
        "rtspsAddress",
        "rtspServerKey",
        "rtspServerCert",
        "webrtc",
        "webrtcAddress",
        "webrtcEncryption",
        "webrtcServerKey",
        "webrtcServerCert",
        "webrtcAllowOrigins",
        "webrtcTrustedProxies",
        "webrtcLocalUDPAddress",
        "webrtcLocalTCPAddress",
        "webrtcIPsFromInterfaces",
        "webrtcAdditionalHosts",
        "webrtcICEServers",
        "webrtcICEServers2",
    }
)
PATH_KEYS = frozenset(
    {
        "source",
        "rtspTransport",
        "sourceFingerprint",
        "sourceOnDemand",
        "sourceOnDemandCloseAfter",
        "maxReaders",
        "readUser",
        "readPass",
    }
)


def import_mediamtx(top: Node, draft: Draft, folder: Path) -> None:
    """Fill `draft` from a tree. folder: where the file stands, and relative files begin."""
    keys = _by_new_names(top)
    _tell_rest(keys, TOP_KEYS, "", draft)
    _log(keys, draft)
    _pages(keys, draft, folder)
    _webrtc(keys, draft)
    _rtsp(keys, draft, folder)
    defaults = keys.get("pathDefaults", Node(1, {}))
    _tell_rest(_by_new_names(defaults), PATH_KEYS, "pathDefaults.", draft)
    paths = keys.get("paths", Node(1, {})).entries
    for name, path in paths.items():
        _camera(name, path, _by_new_names(defaults), draft)
    _access(keys, {name: {**defaults.entries, **path.entries} for name, path in paths.items()}, draft)


def _by_new_names(node: Node) -> dict[str, Node]:
    """Return the entries of a mapping, as if they were written for MediaMTX 1.x."""
    keys = {OLD_NAMES.get(key, key): value for key, value in node.entries.items() if key not in OLD_SWITCHES}
    for old, new in OLD_SWITCHES.items():
        if (switch := node.entries.get(old)) and not switch.says_nothing:
            keys.setdefault(new, Node(switch.line, "no" if switch.is_true else "yes"))
    if (asked := node.entries.get("externalAuthenticationURL")) and asked.text:
        keys["authMethod"] = Node(asked.line, "http")
    return keys


def _tell_rest(keys: Mapping[str, Node], known: frozenset[str], before: str, draft: Draft) -> None:
    """Tell of keys that are used and have no counterpart."""
    told: set[str] = set()
    for key, node in keys.items():
        if key in known or node.says_nothing or key.endswith("Restart"):
            continue
        feature = next((each for each in FEATURES if key.startswith(each.prefix) and not key.startswith("srtp")), None)
        if feature is not None:
            is_default = feature.is_on and feature.switch not in keys and not before
            if key == feature.switch or (is_default and feature.switch not in told):
                told.add(feature.switch)
                draft.note(before + key, node, feature.words)
        elif key.startswith("runOn"):
            sentence = "camgate starts no programs; a camera that one of them fetches is a [cameras.NAME] with its URL"
            if not key.endswith(("StartTimeout", "CloseAfter")):
                draft.note(before + key, node, sentence)
        elif not _is_stock(key, node):
            draft.note(before + key, node, "has no counterpart")


def _is_stock(key: str, node: Node) -> bool:
    if isinstance(node.value, list):
        return {each.text for each in node.value} == STOCK_LISTS.get(key)
    return node.text == STOCK.get(key)


def _log(keys: Mapping[str, Node], draft: Draft) -> None:
    if level := keys.get("logLevel"):
        draft.put("logging", "level", LEVELS.get(level.text, level.text), level, "logLevel")
    destinations = keys.get("logDestinations")
    names = {each.text for each in destinations.elements} if destinations else set()
    if destinations and "file" in names:
        draft.tables["logging"]["output"] = "both" if "stdout" in names else "file"
        sentence = "camgate writes camgate-YYYY-MM-DD.log into the folder logging.directory, which is logs"
        draft.note("logFile", keys.get("logFile", destinations), sentence)
    if destinations and "syslog" in names:
        draft.note("logDestinations", destinations, "camgate writes to no syslog; systemd's journal takes its console")


def _pages(keys: Mapping[str, Node], draft: Draft, folder: Path) -> None:
    """Take over where browsers are served."""
    if address := keys.get("webrtcAddress"):
        draft.put("server", "listen", listen_on_all(address.text), address, "webrtcAddress")
    encryption = keys.get("webrtcEncryption")
    if encryption and encryption.is_true:
        _tls("server", "webrtc", keys, encryption, draft, folder)
    if origins := keys.get("webrtcAllowOrigins"):
        for each in origins.elements:
            if each.text != "*":  # MediaMTX's default, which would let any page use what its visitor may see
                draft.extend("server", "cors_origins", [each.text], each, "webrtcAllowOrigins")
    if proxies := keys.get("webrtcTrustedProxies"):
        for each in proxies.elements:
            draft.extend("server", "trusted_proxies", [each.text], each, "webrtcTrustedProxies")
    webrtc, metrics = keys.get("webrtc"), keys.get("metrics")
    if webrtc and not webrtc.is_true:
        draft.note("webrtc", webrtc, "camgate is for browsers: its pages and WebRTC are always on")
    if metrics and metrics.is_true:
        address = keys.get("metricsAddress", Node(metrics.line, ":9998"))
        draft.put("metrics", "listen", listen_on_all(address.text), address, "metricsAddress")


def _webrtc(keys: Mapping[str, Node], draft: Draft) -> None:
    if udp := keys.get("webrtcLocalUDPAddress"):
        port = udp.text.rpartition(":")[2]
        if port.isascii() and port.isdigit():
            draft.put("webrtc", "port", int(port), udp, "webrtcLocalUDPAddress")
        else:
            draft.note("webrtcLocalUDPAddress", udp, "camgate always sends by UDP; its port is 8108 (webrtc.port)")
    tcp = keys.get("webrtcLocalTCPAddress")
    if tcp and tcp.text and (not udp or tcp.text.rpartition(":")[2] != udp.text.rpartition(":")[2]):
        draft.note("webrtcLocalTCPAddress", tcp, "camgate has TCP on the port of the same number as UDP (webrtc.tcp)")
    of_interfaces = keys.get("webrtcIPsFromInterfaces")
    if hosts := keys.get("webrtcAdditionalHosts"):
        given = [each.text for each in hosts.elements]
        own = [] if of_interfaces and not of_interfaces.is_true else ["auto"]
        if given:
            draft.extend("webrtc", "advertise", [*own, *given], hosts, "webrtcAdditionalHosts")
    if servers := keys.get("webrtcICEServers2"):
        for each in servers.elements:
            of = "webrtcICEServers2"
            url, user, password = (
                each.entries.get(key, Node(each.line, "")) for key in ("url", "username", "password")
            )
            draft.add_ice_server(url.text, user.text, password.text, url, of)
    if servers := keys.get("webrtcICEServers"):
        for each in servers.elements:
            address, name, secret = each.text, "", ""
            if login := _OLD_TURN.fullmatch(address):
                address, name, secret = login["scheme"] + login["host"], login["name"], login["secret"]
            draft.add_ice_server(address, name, secret, each, "webrtcICEServers")


def _tls(section: str, before: str, keys: Mapping[str, Node], encryption: Node, draft: Draft, folder: Path) -> None:
    """Take over a certificate and its key, whose own keys begin with `before`."""
    for key, of, default in (
        ("tls_certificate", f"{before}ServerCert", "server.crt"),
        ("tls_key", f"{before}ServerKey", "server.key"),
    ):
        node = keys.get(of, encryption)
        name = (node.text if of in keys else "") or default
        draft.put(section, key, str((folder / name).absolute()), node, of)


def _rtsp(keys: Mapping[str, Node], draft: Draft, folder: Path) -> None:
    """Take over the RTSP server, which is on where the file does not say otherwise."""
    server, encryption = keys.get("rtsp"), keys.get("rtspEncryption", Node(1, "no"))
    if server and server.text and not server.is_true:
        return
    of, default = ("rtspsAddress", RTSPS_ADDRESS) if encryption.text == "strict" else ("rtspAddress", RTSP_ADDRESS)
    address = keys.get(of, server or Node(1, None))
    listen = listen_on_all((address.text if of in keys else "") or default)
    draft.put("rtsp_server", "listen", listen, address, of)
    if encryption.text == "strict":
        _tls("rtsp_server", "rtsp", keys, encryption, draft, folder)
    elif not encryption.says_nothing:
        sentence = "camgate's RTSP server speaks with TLS or without; rtsp_server.tls_certificate has it speak with"
        draft.note("rtspEncryption", encryption, sentence)
    transports = keys.get("rtspTransports")
    if transports and "udp" not in {each.text for each in transports.elements}:
        draft.tables["rtsp_server"]["udp"] = False
        return
    webrtc_port = draft.tables["webrtc"].get("port", WebRtcSettings().port)
    if listen.rpartition(":")[2] == str(webrtc_port - 1):
        draft.tables["rtsp_server"]["udp"] = False
        sentence = "plays by TCP only here, as RTSP would have its port and the next for UDP, and WebRTC has that"
        draft.note(of, address, f"{sentence}; another webrtc.port leaves it to RTSP")


def _access(keys: Mapping[str, Node], paths: Mapping[str, Mapping[str, Node]], draft: Draft) -> None:
    """Take over who may read, after the cameras, which that names. paths: their keys."""
    method = keys.get("authMethod", Node(1, "internal"))
    if method.text == "http" and (address := keys.get("authHTTPAddress")):
        draft.put("auth", "callback", {"url": address.text}, address, "authHTTPAddress")
        draft.note("authHTTPAddress", address, "is asked as before, without the actions publish, api and metrics")
        excluded = keys.get("authHTTPExclude", Node(1, []))
        if "read" in {each.entries.get("action", each).text for each in excluded.elements}:
            draft.note("authHTTPExclude", excluded, "lets readers in unasked; camgate asks for all of them")
        return
    if method.text != "internal":
        sentence = "camgate takes tokens of an identity provider with roles of its own: [auth.issuers.NAME]"
        draft.note("authMethod", method, f"{sentence} (docs/access.md)")
        return
    import_users(keys.get("authInternalUsers", Node(1, [])), draft)
    import_readers(paths, draft)


def _camera(name: str, path: Node, defaults: Mapping[str, Node], draft: Draft) -> None:
    own = _by_new_names(path)
    keys = {**defaults, **own}
    of = f"paths.{name}"
    source = keys.get("source", Node(path.line, "publisher"))
    where = Node(own["source"].line if "source" in own else path.line, source.value)
    scheme = source.text.partition("://")[0].lower()
    if name.startswith("~") or name in ("all", "all_others") or _VARIABLE.search(source.text):
        if "source" in own:
            draft.note(of, path, "stands for many names; write a [cameras.NAME] for each camera")
        return
    if scheme not in ("rtsp", "rtsps", *TUNNELS):
        draft.note(f"{of}.source", where, _why_not(scheme if "://" in source.text else source.text))
        return
    url = TUNNELS.get(scheme, scheme) + source.text[len(scheme) :]
    table = draft.stream(url, where, f"{of}.source")
    if table is None:
        return
    _tell_rest(own, PATH_KEYS, f"{of}.", draft)
    table |= _transport(scheme, keys, of, draft)
    fingerprint = keys.get("sourceFingerprint")
    places: dict[str, Place] = {}
    if fingerprint and fingerprint.text and url.startswith("rtsps"):
        table["tls_fingerprint"] = f"sha256:{fingerprint.text}"
        places["tls_fingerprint"] = fingerprint, f"{of}.sourceFingerprint"
    if keys.get("sourceOnDemand", Node(1, "no")).is_true:
        close_after = keys.get("sourceOnDemandCloseAfter", Node(1, "10s"))
        linger_s = seconds(close_after.text) or MIN_LINGER_S
        table |= {"on_demand": True, "linger_s": min(max(linger_s, MIN_LINGER_S), MAX_LINGER_S)}
    readers = keys.get("maxReaders", Node(1, "0"))
    if _WHOLE_NUMBER.fullmatch(readers.text) and int(readers.text):
        table["max_viewers"] = int(readers.text)
        places["max_viewers"] = readers, f"{of}.maxReaders"
    draft.add_camera(name, table, path, of, places)


def _transport(scheme: str, keys: Mapping[str, Node], of: str, draft: Draft) -> dict[str, str]:
    if scheme in TUNNELS:
        return {"transport": "http"}
    given = keys.get("rtspTransport", Node(1, "automatic"))
    transport = TRANSPORTS.get(given.text)
    if transport is None or (transport == "udp" and scheme == "rtsps"):
        draft.note(f"{of}.rtspTransport", given, "is no transport that camgate has for this URL; it will use TCP")
        return {}
    return {} if transport == "auto" else {"transport": transport}


def _why_not(source: str) -> str:
    match source:
        case "publisher":
            return "is pushed by somebody; camgate fetches: write the URL of the camera itself in a [cameras.NAME]"
        case "redirect":
            return "leads to another path; camgate has no redirects"
        case "rpiCamera":
            return "is a Raspberry Pi's own camera; camgate fetches by RTSP only"
        case _:
            how = source if _SCHEME.fullmatch(source) else "something else"
            return f"is fetched by {how}; camgate fetches by RTSP only"


def seconds(duration: str) -> float:
    """Return one of Go's durations, such as `1m30s`; 0 for what is none."""
    return float(sum(float(number) * _UNIT_S[unit] for number, unit in _DURATION.findall(duration) if number != "."))


def listen_on_all(address: str) -> str:
    """Return where to listen as camgate has it: Go's `:8889` is all addresses."""
    return f"0.0.0.0{address}" if address.startswith(":") else address
