"""Files of MediaMTX and go2rtc, as people have them, become configs that camgate loads."""

import json
from functools import cache
from pathlib import Path

import pytest
from argon2.low_level import Type, verify_secret
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.errors import ConfigError
from camgate.config.exposure import exposures
from camgate.config.load import parse
from camgate.config.model import Settings, Transport
from camgate.config.password_hash import hash_password
from camgate.config.twins import twins
from camgate.moving.convert import Imported, convert
from camgate.moving.go2rtc import with_port
from camgate.moving.mediamtx import STOCK, TOP_KEYS, seconds
from camgate.moving.tree import Node

FIXTURES = Path(__file__).parents[1] / "fixtures" / "moving"
ENVIRON = {"API_PASSWORD": "opensesame-api"}
ADMIN = hash_password("an administrator's")


@cache
def imported(file: str) -> Imported:
    return convert(FIXTURES / file, Path("camgate.toml"), ENVIRON, password_hash=ADMIN)


def settings_of(result: Imported) -> Settings:
    environ = {**ENVIRON, **dict.fromkeys(result.variables, "from the environment")}
    return parse(result.text, environ, file="camgate.toml", directory=Path())


def told(result: Imported) -> list[str]:
    """What is told, by line and key."""
    return [f"{note.line} {note.key}" for note in result.notes]


def words(result: Imported, key: str) -> str:
    return " ".join(note.sentence for note in result.notes if note.key == key)


def test_mediamtx_cameras_keep_their_logins_transports_and_demand() -> None:
    cameras = settings_of(imported("mediamtx.yml")).cameras
    assert list(cameras) == ["gate", "yard", "hall-ceiling", "garage"]
    gate, yard, hall, garage = cameras.values()
    assert gate.url == "rtsp://192.0.2.10:554/Streaming/Channels/101"
    assert (gate.username, gate.password, gate.transport) == ("admin", "opensesame/gate", Transport.TCP)
    assert (yard.url, yard.password) == ("rtsps://192.0.2.11/live", "p${x}w")
    assert yard.tls_fingerprint == "sha256:33949e05fffb5ff3e8aa16f8213a6251b4d9363804ba53233c4da9a46d6f2739"
    assert (hall.title, hall.on_demand, hall.linger_s, hall.max_viewers) == ("hall/ceiling", True, 90.0, 4)
    assert (hall.transport, yard.transport) == (Transport.AUTO, Transport.AUTO)
    assert (garage.url, garage.transport) == ("rtsp://192.0.2.13/two", Transport.HTTP)
    assert not any(camera.on_demand for camera in (gate, yard, garage))


def test_mediamtx_servers_and_users_are_taken_over() -> None:
    settings = settings_of(imported("mediamtx.yml"))
    assert (settings.server.listen, settings.rtsp_server.listen) == ("0.0.0.0:8889", "0.0.0.0:8554")
    assert (settings.webrtc.port, settings.webrtc.advertise) == (8189, ("auto", "203.0.113.7", "cameras.example.org"))
    assert settings.webrtc.stun == ("stun:stun.example.org:19302",)
    shared, login = settings.webrtc.turn.values()
    assert (shared.secret, login.username, login.password) == ("opensesame-turn", "mtx", "opensesame-turn2")
    assert settings.server.cors_origins == ("https://home.example.org",)
    assert settings.server.trusted_proxies == ("127.0.0.1",)
    assert (settings.logging.level, settings.logging.output, settings.rtsp_server.udp) == ("warning", "both", False)
    users = settings.auth.users
    assert {name: user.roles for name, user in users.items()} == {
        "admin": ("admin",),
        "anna": ("viewer",),
        "guard": ("mediamtx-1",),
        "carl": ("viewer",),
    }
    assert settings.auth.roles["mediamtx-1"].view == ("gate",)
    assert users["carl"].password_hash.endswith("$yv58kPBCs77LslnPh5LqqZtWUk8wzr2/BVZEFQX5Pdk"), "the hash itself"
    assert list(settings.rtsp_server.users) == ["anna"], "the RTSP server's users play every camera, guard one"


def test_what_mediamtx_does_and_camgate_does_not_is_told_once_with_its_line() -> None:
    result = imported("mediamtx.yml")
    assert told(result) == [
        "5 logFile",
        "7 writeQueueSize",
        "11 authInternalUsers[0]",
        "22 authInternalUsers[2]",
        "24 authInternalUsers[2].ips",
        "25 authInternalUsers[2].permissions",
        "25 authInternalUsers[2].permissions",
        "29 authInternalUsers[3]",
        "33 authInternalUsers[4]",
        "38 api",
        "45 rtmp",
        "81 paths.yard.rtspTransport",
        "82 paths.yard.record",
        "83 paths.hall/ceiling",
        "92 paths.garage.runOnReady",
        "93 paths.garage.rtspAnyPort",
        "95 paths.drone.source",
        "96 paths.pushed.source",
        "99 paths.tele.source",
        "100 paths.~^dyn_(.+)$",
    ]
    assert "no login to the RTSP server, whose users play every camera" in words(result, "authInternalUsers[2]")
    assert "write the URL of the camera itself" in words(result, "paths.drone.source")
    assert "fetched by srt" in words(result, "paths.tele.source")


def test_go2rtc_cameras_keep_their_logins_and_sub_streams() -> None:
    result = imported("go2rtc.yaml")
    cameras = settings_of(result).cameras
    assert list(cameras) == ["front", "bell", "unifi", "tls", "tuya", "Front-2"]
    front, bell, unifi, tls, tuya, again = cameras.values()
    assert front.url == "rtsp://192.0.2.10/cam/realmonitor?channel=1&subtype=0"
    assert (front.username, front.password, front.on_demand) == ("admin", "opensesame-front", False)
    assert front.sub is not None
    assert (front.sub.url[-9:], front.sub.password) == ("subtype=1", "opensesame-front")
    assert (bell.username, bell.password, bell.on_demand) == ("user", "from the environment", True)
    assert result.variables == ("BELL_PASSWORD",)
    assert (unifi.url, unifi.tls_insecure) == ("rtsps://192.0.2.12:7441/fD6ouM72bWoFijxK", True)
    assert (tls.url, tls.connect_timeout_s) == ("rtsps://camera.example.org:554/live", 30.0)
    assert tuya.url == "rtsp://192.0.2.13/live"
    assert again.title == "Front"
    assert result.text.count("opensesame-front") == 1, "a sub-stream has the login of its camera"


def test_go2rtc_servers_and_users_are_taken_over() -> None:
    settings = settings_of(imported("go2rtc.yaml"))
    assert (settings.server.listen, settings.rtsp_server.listen) == ("0.0.0.0:1984", "0.0.0.0:8554")
    assert settings.server.cors_origins == ("*",)
    assert (settings.webrtc.port, settings.rtsp_server.udp) == (8555, False)
    assert settings.webrtc.advertise == ("auto", "203.0.113.7", "cameras.example.org", "stun")
    assert settings.webrtc.stun == ("stun:stun.example.org:3478",)
    assert settings.webrtc.turn["turn1"].username == "ha"
    assert {name: user.roles for name, user in settings.auth.users.items()} == {
        "admin": ("admin",),
        "house": ("admin",),
    }
    assert list(settings.rtsp_server.users) == ["frigate"]
    assert settings.logging.level == "debug"


def test_what_go2rtc_does_and_camgate_does_not_is_told_once_with_its_line() -> None:
    result = imported("go2rtc.yaml")
    assert told(result) == [
        "7 api.base_path",
        "12 rtsp.username",
        "13 rtsp.default_query",
        "19 webrtc.candidates",
        "27 ffmpeg",
        "32 log.exec",
        "36 homekit",
        "48 streams.bell",
        "49 streams.unifi",
        "50 streams.tls",
        "51 streams.bell_h264",
        "53 streams.tuya[0]",
        "55 streams.printer",
        "56 streams.script",
        "57 streams.Front",
    ]
    assert "#rotate has no counterpart" in words(result, "streams.bell")
    assert "`camgate probe --onvif HOST`" in words(result, "streams.tuya[0]")


@pytest.mark.parametrize("file", ["mediamtx.yml", "go2rtc.yaml"])
def test_nothing_that_is_told_holds_a_secret(file: str) -> None:
    result = imported(file)
    assert "opensesame" in result.text
    assert not [note for note in result.notes if "opensesame" in str(note)]


@pytest.mark.parametrize("file", ["mediamtx.yml", "go2rtc.yaml"])
def test_what_comes_out_starts_without_insecure(file: str) -> None:
    assert list(exposures(settings_of(imported(file)))) == []


def write(folder: Path, text: str) -> Path:
    file = folder / "other.yml"
    file.write_text(text)
    return file


CAMERA = "paths: {front: {source: 'rtsp://192.0.2.1/'}}\n"
STREAM = "streams: {front: 'rtsp://192.0.2.1/'}\n"
READ = "permissions: [{action: read}]"


def test_an_administrator_of_go2rtc_called_admin_stays_who_it_is(tmp_path: Path) -> None:
    file = write(tmp_path, f"{STREAM}api: {{username: admin, password: opensesame-theirs}}\n")
    result = convert(file, tmp_path / "camgate.toml", {}, password_hash=ADMIN)
    [admin] = settings_of(result).auth.users.values()
    assert (admin.name, admin.roles) == ("admin", ("admin",))
    assert verify_secret(admin.password_hash.encode(), b"opensesame-theirs", Type.ID)
    assert not result.has_new_administrator, "the one that was made up is shown to nobody"
    assert "with the password as before" in words(result, "api.username")


def test_a_viewer_of_mediamtx_called_admin_takes_nobody_the_administration_away(tmp_path: Path) -> None:
    theirs = f"- {{user: admin, pass: opensesame-theirs, {READ}}}\n- {{user: ann, pass: x1, {READ}}}\n"
    twice = "- {user: ann, pass: x2, permissions: [{action: read, path: front}]}\n"
    file = write(tmp_path, f"{CAMERA}authInternalUsers:\n{theirs}{twice}")
    result = convert(file, tmp_path / "camgate.toml", {}, password_hash=ADMIN)
    settings = settings_of(result)
    assert {name: user.roles for name, user in settings.auth.users.items()} == {
        "admin": ("admin",),
        "ann": ("viewer",),
    }
    assert (settings.auth.users["admin"].password_hash, result.has_new_administrator) == (ADMIN, True)
    assert list(settings.rtsp_server.users) == ["admin", "ann"]
    assert "the password that is shown" in words(result, "authInternalUsers[0]")
    assert "is there twice" in words(result, "authInternalUsers[2]")


def test_without_users_camgate_listens_on_this_machine_only(tmp_path: Path) -> None:
    file = write(tmp_path, f"{CAMERA}rtspAddress: :8554\nwebrtcAddress: :8889\n")
    result = convert(file, tmp_path / "camgate.toml", {})
    settings = settings_of(result)
    assert (settings.server.listen, settings.rtsp_server.listen) == ("127.0.0.1:8889", "127.0.0.1:8554")
    assert [note.key for note in result.notes] == ["server.listen", "rtsp_server.listen"]


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        (CAMERA, "127.0.0.1:8554"),
        (f"{CAMERA}rtsp:\nrtspAddress:\n", "127.0.0.1:8554"),
        (f"{CAMERA}rtsp: no\nrtspAddress: :8554\n", ""),
        (f"{CAMERA}rtspDisable: yes\n", ""),
        (f"{CAMERA}encryption: strict\nserverCert: own.crt\n", "127.0.0.1:8322"),
        (STREAM, "127.0.0.1:8554"),
        (f"{STREAM}rtsp: {{default_query: video&audio}}\n", "127.0.0.1:8554"),
        (f"{STREAM}rtsp: {{listen: ''}}\n", ""),
        (f"{STREAM}rtsp: {{listen: '${{NOT_SET}}'}}\n", ""),
    ],
)
def test_rtsp_is_served_where_it_was(tmp_path: Path, text: str, listen: str) -> None:
    result = convert(write(tmp_path, text), tmp_path / "camgate.toml", {})
    rtsp = settings_of(result).rtsp_server
    assert rtsp.listen == listen
    assert ("0.0.0.0" in words(result, "rtsp_server.listen")) == bool(listen), "narrowed, and told"
    is_secret = "strict" in text
    assert rtsp.tls_certificate == (str(tmp_path / "own.crt") if is_secret else "")
    assert rtsp.tls_key == (str(tmp_path / "server.key") if is_secret else "")


def test_whose_file_it_is_is_told_by_its_keys_or_said(tmp_path: Path) -> None:
    both = write(tmp_path, f"{CAMERA}streams: {{back: 'rtsp://192.0.2.2/'}}\n")
    with pytest.raises(ConfigError, match="could be of either MediaMTX or go2rtc; say --from"):
        convert(both, tmp_path / "camgate.toml", {})
    assert list(settings_of(convert(both, Path("c.toml"), {}, kind="go2rtc")).cameras) == ["back"]
    assert list(settings_of(convert(both, Path("c.toml"), {}, kind="mediamtx")).cameras) == ["front"]
    with pytest.raises(ConfigError, match="looks like neither MediaMTX nor go2rtc"):
        convert(write(tmp_path, "services: {web: {image: x}}\n"), tmp_path / "camgate.toml", {})


def test_a_file_without_cameras_is_refused_with_the_reasons(tmp_path: Path) -> None:
    file = write(tmp_path, "paths:\n  drone:\n    source: publisher\n")
    with pytest.raises(ConfigError) as raised:
        convert(file, tmp_path / "camgate.toml", {})
    assert [problem.line for problem in raised.value.problems] == [3, None]
    assert raised.value.problems[1].sentence == "holds no camera that camgate can fetch by RTSP"


ODD = f"""\
{CAMERA.rstrip()[:-1]},
  "house/garage": {{source: "rtsps://192.0.2.2/", sourceFingerprint: 33949E, maxReaders: 9999999}},
  "fr-front ": {{source: "rtsp://192.0.2.3/"}},
  "e  f": {{source: "rtsp://192.0.2.4/"}},
  " .": {{source: "rtsp://192.0.2.5/"}}}}
authMethod: internal
authInternalUsers:
  - {{user: one, pass: x1, permissions: [{{action: read, path: house/garage}}, {{action: read, path: gone}}]}}
  - {{user: two, pass: x2, permissions: [{{action: read, path: "~^f"}}, {{action: read, path: "~(a+)+$"}}]}}
  - {{user: all, pass: x3, permissions: [{{action: read, path: front}}, {{action: read, path: "~^.*$"}}]}}
  - {{user: none, pass: x4, permissions: [{{action: read, path: "~["}}, {{action: read, path: "fr*"}}]}}
webrtcAddress: :8889
webrtcLocalUDPAddress: :8889
webrtcICEServers2: [{{url: "turn:192.0.2.1:99999", username: mtx, password: x5}}]
"""


def test_what_camgate_does_not_take_is_left_out_and_told_where_it_stands(tmp_path: Path) -> None:
    result = convert(write(tmp_path, ODD), tmp_path / "camgate.toml", {}, password_hash=ADMIN)
    settings = settings_of(result)
    assert {camera.title: name for name, camera in settings.cameras.items()} == {
        None: "front",
        "house/garage": "house-garage",
        "fr-front ": "fr-front",
        "e  f": "e f",
        " .": "camera",
    }
    garage = settings.cameras["house-garage"]
    assert (garage.url, garage.tls_fingerprint, garage.max_viewers) == ("rtsps://192.0.2.2/", None, 0)
    assert list(settings.auth.users) == ["admin", "one", "two", "all"]
    assert [settings.auth.roles[f"mediamtx-{number}"].view for number in (1, 2)] == [
        ("house-garage",),
        ("front", "fr-front"),
    ]
    assert list(settings.rtsp_server.users) == ["all"]
    assert (settings.server.listen, settings.webrtc.port, settings.webrtc.turn) == ("0.0.0.0:8889", 8108, {})
    left_out = [
        "2 paths.house/garage.sourceFingerprint",
        "2 paths.house/garage.maxReaders",
        "8 authInternalUsers[0].permissions[1].path",
        "9 authInternalUsers[1].permissions[1].path",
        "11 authInternalUsers[3].permissions[0].path",
        "11 authInternalUsers[3].permissions[1].path",
        "11 authInternalUsers[3]",
        "13 webrtcLocalUDPAddress",
        "14 webrtcICEServers2",
    ]
    assert set(left_out) <= set(told(result))
    assert "is left out: is no fingerprint" in words(result, "paths.house/garage.sourceFingerprint")
    for key in ("authInternalUsers[1].permissions[1].path", "authInternalUsers[3].permissions[0].path"):
        assert "is no regular expression that camgate reads" in words(result, key)


OLD = """\
rtmpDisable: yes
hlsDisable: yes
webrtcDisable: no
readBufferCount: 512
webrtcAllowOrigin: '*'
webrtcICEServers: ["stun:stun.example.org:3478", "turn:mtx:opensesame-turn:turn.example.org:3478"]
paths:
  front: {source: "rtsp://192.0.2.1/", readUser: ann, readPass: opensesame-ann}
  yard: {source: "rtsp://192.0.2.2/", readUser: ann, readPass: opensesame-ann}
  pushed: {readUser: bob, readPass: x}
"""


def test_older_names_of_mediamtx(tmp_path: Path) -> None:
    result = convert(write(tmp_path, OLD), tmp_path / "camgate.toml", {}, password_hash=ADMIN)
    settings = settings_of(result)
    assert (settings.webrtc.stun, settings.server.cors_origins) == (("stun:stun.example.org:3478",), ())
    turn = settings.webrtc.turn["turn1"]
    assert (turn.urls, turn.username, turn.password) == (("turn:turn.example.org:3478",), "mtx", "opensesame-turn")
    assert {name: user.roles for name, user in settings.auth.users.items()} == {"admin": ("admin",), "ann": ("viewer",)}
    assert list(settings.rtsp_server.users) == ["ann"]
    assert told(result) == ["10 paths.pushed.source"]
    one = OLD.replace("readUser: ann", "readUser: eve", 1).replace("readBufferCount: 512", "readBufferCount: 64")
    result = convert(write(tmp_path, one), tmp_path / "camgate.toml", {}, password_hash=ADMIN)
    settings = settings_of(result)
    assert settings.auth.roles["mediamtx-1"].view == ("front",)
    assert settings.auth.roles["mediamtx-2"].view == ("yard",)
    assert settings.rtsp_server.users == {}
    asked = OLD.replace("readBufferCount: 512", "externalAuthenticationURL: https://192.0.2.9/")
    settings = settings_of(convert(write(tmp_path, asked), tmp_path / "camgate.toml", {}, password_hash=ADMIN))
    assert settings.auth.callback is not None
    assert list(settings.auth.users) == ["admin"]


def test_a_stream_that_is_there_twice_for_its_sound_is_no_sub_stream(tmp_path: Path) -> None:
    urls = '["rtsp://a:b@192.0.2.1/1", "ffmpeg:rtsp://a:b@192.0.2.1/1#audio=opus", "rtsp://a:b@192.0.2.1/2"]'
    cameras = settings_of(convert(write(tmp_path, f"streams: {{front: {urls}}}\n"), Path("c.toml"), {})).cameras
    assert cameras["front"].sub is not None
    assert cameras["front"].sub.url == "rtsp://192.0.2.1/2"
    assert not list(twins(cameras))


def test_a_file_of_frigate_is_told_what_to_do(tmp_path: Path) -> None:
    file = write(tmp_path, f"cameras: {{front: {{}}}}\ngo2rtc: {{{STREAM.strip()}}}\n")
    with pytest.raises(ConfigError, match=r"other\.yml:2: is of Frigate; write what is under its key go2rtc"):
        convert(file, tmp_path / "camgate.toml", {})


def test_a_callback_that_is_no_web_server_is_left_out(tmp_path: Path) -> None:
    file = write(tmp_path, f"{CAMERA}authMethod: http\nauthHTTPAddress: ftp://192.0.2.1/\n")
    result = convert(file, tmp_path / "camgate.toml", {}, password_hash=ADMIN)
    assert list(settings_of(result).auth.users) == ["admin"]
    assert "is left out: is no address of a web server" in words(result, "authHTTPAddress")


def test_rtsp_leaves_webrtc_its_port(tmp_path: Path) -> None:
    file = write(tmp_path, f"{CAMERA}rtspAddress: :8554\nwebrtcLocalUDPAddress: :8555\n")
    result = convert(file, tmp_path / "camgate.toml", {})
    settings = settings_of(result)
    assert (settings.rtsp_server.listen, settings.rtsp_server.udp) == ("127.0.0.1:8554", False)
    assert settings.webrtc.port == 8555
    assert "plays by TCP only here" in words(result, "rtspAddress")


def test_a_name_that_moves_the_cursor_does_not(tmp_path: Path) -> None:
    file = write(tmp_path, f'{CAMERA}rtsp: no\n"\\e[2J": 1\n')
    [note] = convert(file, tmp_path / "camgate.toml", {}).notes
    assert "\x1b" not in str(note)


def test_what_is_on_by_itself_is_told_where_the_file_shows_that_it_is_used(tmp_path: Path) -> None:
    on = write(tmp_path, f"{CAMERA}rtsp: no\nhlsAddress: :8888\nhlsVariant: lowLatency\nsrtAddress: :8890\n")
    assert told(convert(on, tmp_path / "camgate.toml", {})) == ["3 hlsAddress", "5 srtAddress"]
    off = write(tmp_path, f"{CAMERA}rtspDisable: yes\nhls: no\nhlsAlwaysRemux: yes\nplaybackAddress: :9996\n")
    assert told(convert(off, tmp_path / "camgate.toml", {})) == []


@pytest.mark.parametrize(("duration", "is_s"), [("10s", 10), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5), ("soon", 0)])
def test_durations_of_go(duration: str, is_s: float) -> None:
    assert seconds(duration) == pytest.approx(is_s)


YARD = {
    "YARD": "rtsp://ann:opensesame%2F1@192.0.2.1/yard",
    "HOST": "192.0.2.2",
    "NVR": "192.0.2.3:7441",
    "UNIFI": "rtspx://192.0.2.4:7441/opensesame2",
    "LOBBY": "rtsps://192.0.2.5/lobby",
    "PIPE": "exec:opensesame3",
    "WORD": "opensesame4",
}
VARIABLES = """\
streams:
  yard: ${YARD}
  base: ffmpeg:${YARD}/2#video=h264#rotate=90
  host: ["rtsps://${HOST}/a", "rtsps://${HOST}/b"]
  nvr: rtspx://${NVR}/a
  unifi: ${UNIFI}
  lobby: ${LOBBY}
  bare: opensesame5
  pipe: ${PIPE}
  word: ${WORD}
  unset: ${UNSET}
"""


def test_streams_of_go2rtc_that_are_in_the_environment(tmp_path: Path) -> None:
    result = convert(write(tmp_path, VARIABLES), tmp_path / "camgate.toml", YARD)
    settings = parse(result.text, YARD, file="camgate.toml", directory=Path())
    yard, base, host, nvr, unifi, lobby = settings.cameras.values()
    assert (yard.url, yard.username, yard.password) == ("rtsp://192.0.2.1/yard", "ann", "opensesame/1")
    assert (base.url, base.password) == ("rtsp://192.0.2.1/yard/2", "opensesame/1")
    assert [each.url for each in (host, host.sub) if each] == ["rtsps://192.0.2.2:554/a", "rtsps://192.0.2.2:554/b"]
    assert (nvr.url, nvr.tls_insecure) == ("rtsps://192.0.2.3:7441/a", True)
    assert (unifi.url, unifi.tls_insecure) == ("rtsps://192.0.2.4:7441/opensesame2", True)
    assert lobby.url == "rtsps://192.0.2.5:554/lobby", "as go2rtc takes it; left in the environment it would be 322"
    assert result.text.count("${YARD}") == 2, "what can stay in the environment stays there"
    assert "opensesame%2F1" not in result.text
    assert words(result, "streams.bare") == "comes by something else; camgate fetches by RTSP only"
    assert "holds no RTSP URL" in words(result, "streams.pipe")
    assert "holds no RTSP URL" in words(result, "streams.word")
    assert "set it and import again" in words(result, "streams.unset")
    assert not [note for note in result.notes if "opensesame" in str(note)]


def test_rtsps_has_the_port_that_go2rtc_takes() -> None:
    assert with_port("rtsps://host/x?host=1") == "rtsps://host:554/x?host=1"
    assert with_port("rtsps://host:322/x") == "rtsps://host:322/x"
    assert with_port("rtsps://[fd00::1]/x") == "rtsps://[fd00::1]:554/x"


leaves = (
    st.none()
    | st.sampled_from(
        [
            "yes",
            "no",
            ":8554",
            "127.0.0.1:1",
            "rtsp://a:b@192.0.2.1/x",
            "ffmpeg:x#video=h264",
            "rtspx://[::1]",
            "${A:b}",
            "$",
            "-1",
        ]
    )
    | st.text(max_size=8)
)
OTHER_KEYS = """streams api rtsp listen username password user pass permissions candidates ice_servers urls url source
    preload log level tls_listen tls_cert ~x"""
keys = st.sampled_from([*sorted(TOP_KEYS), *STOCK, *OTHER_KEYS.split()]) | st.text(max_size=4)
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


@given(paths=trees, rest=st.dictionaries(keys, trees, max_size=4), kind=st.sampled_from(["mediamtx", "go2rtc"]))
def test_whatever_else_the_file_holds_the_camera_comes_along(
    tmp_path_factory: pytest.TempPathFactory, paths: object, rest: dict[str, object], kind: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yml"
    camera = {"front": {"source": "rtsp://192.0.2.1/"}} if kind == "mediamtx" else {"front": "rtsp://192.0.2.1/"}
    section = {"mediamtx": "paths", "go2rtc": "streams"}[kind]
    tree = {**rest, section: {"any": paths, **camera}}
    file.write_text(json.dumps(tree))  # which is YAML as well
    settings = settings_of(convert(file, Path("camgate.toml"), {}, kind=kind))
    assert "front" in settings.cameras
    assert not list(exposures(settings))


def test_nodes_say_what_they_are() -> None:
    assert Node(1, "On").is_true
    assert Node(1, None).says_nothing
    assert not Node(1, [Node(1, None)]).says_nothing
    assert [each.text for each in Node(1, "one").elements] == ["one"]
