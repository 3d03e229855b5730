"""A config becomes Settings, or one line for each mistake in it that names file, line, key and what would be right."""

from pathlib import Path

import pytest

from camgate.base.secrets import mask
from camgate.config.errors import ConfigError, StartError
from camgate.config.load import LOCAL_FILE, MAX_FILE_BYTES, find_config_file, load, parse, start_problem
from camgate.config.model import CameraSettings, Settings, Transport

CAMERA = '[cameras.front]\nurl = "rtsp://192.0.2.10/live"\n'
CAMERA_TLS = CAMERA.replace("rtsp:", "rtsps:")


def settings_of(text: str, directory: Path = Path(), **environ: str) -> Settings:
    return parse(text, environ, file="camgate.toml", directory=directory)


def problems_of(text: str, directory: Path = Path(), **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings_of(text, directory, **environ)
    return str(caught.value).splitlines()


def camera_of(body: str, directory: Path = Path(), **environ: str) -> CameraSettings:
    return settings_of(f"[cameras.front]\n{body}", directory, **environ).cameras["front"]


def test_the_least_config() -> None:
    assert settings_of(CAMERA) == Settings(
        cameras={"front": CameraSettings(name="front", url="rtsp://192.0.2.10/live")}
    )


def test_every_section() -> None:
    settings = settings_of(
        """
        [server]
        listen = "[::1]:80"
        cors_origins = ["https://example.org", "*"]
        frame_ancestors = ["'self'", "https://*.example.org"]
        shutdown_deadline_s = 2
        [webrtc]
        port = 0
        advertise = ["auto", "203.0.113.7", "cams.example.org", "2001:db8::1"]
        [logging]
        level = "debug"
        output = "both"
        directory = "/var/log/camgate"
        [cameras.front]
        url = "rtsp://cam:8554/live"
        transport = "tcp"
        title = "Haustür"
        stall_timeout_s = 7.5
        """
    )
    assert settings.server.listen == "[::1]:80"
    assert settings.server.frame_ancestors == ("'self'", "https://*.example.org")
    assert settings.server.shutdown_deadline_s == 2.0
    assert settings.webrtc.advertise == ("auto", "203.0.113.7", "cams.example.org", "2001:db8::1")
    assert settings.logging.directory == Path("/var/log/camgate")
    assert settings.cameras["front"].transport is Transport.TCP
    assert settings.cameras["front"].title == "Haustür"
    assert settings.cameras["front"].stall_timeout_s == 7.5


BAD: list[tuple[str, str]] = [
    # Keys that nobody knows.
    (
        "[sever]\n" + CAMERA,
        "camgate.toml:1: sever: there is no such key; did you mean server?",
    ),
    (
        '[server]\n\nlisen = "x"\n' + CAMERA,
        "camgate.toml:3: server.lisen: there is no such key; did you mean listen?",
    ),
    (
        CAMERA + "colour = 1\n",
        "camgate.toml:3: cameras.front.colour: there is no such key; there are audio, connect_timeout_s, "
        "expected_fps, groups, linger_s, max_viewers, on_demand, onvif, password, password_file, stall_timeout_s, sub, "
        "title, "
        "tls_fingerprint, tls_insecure, transport, url, username",
    ),
    (
        CAMERA + 'on_demand = "yes"\n',
        "camgate.toml:3: cameras.front.on_demand: is text in quotes; write true or false, without quotes",
    ),
    # Sub-streams.
    (
        CAMERA + 'onvif = "https://admin:hush@x/"\n',
        'camgate.toml:3: cameras.front.onvif: is no address of an ONVIF service; write "HOST", "HOST:PORT" or '
        '"http://HOST:PORT/PATH", without a login',
    ),
    (
        CAMERA + 'sub = "rtsp://x/sub"\n',
        "camgate.toml:3: cameras.front.sub: is text in quotes; write a table: [cameras.NAME.sub] with url = "
        '"rtsp://…" below it',
    ),
    (
        CAMERA + "[cameras.front.sub]\n",
        'camgate.toml:3: cameras.front.sub: has no url; write url = "rtsp://HOST[:PORT]/PATH"',
    ),
    (
        CAMERA + '[cameras.front.sub]\nurl = "rtsp://x/sub"\ntitle = "Sub"\n',
        "camgate.toml:5: cameras.front.sub.title: there is no such key; there are password, password_file, "
        "tls_fingerprint, tls_insecure, transport, url, username",
    ),
    (
        CAMERA + '[cameras.front.sub]\nurl = "http://x/sub"\n',
        "camgate.toml:4: cameras.front.sub.url: is no URL of a camera: it does not begin with rtsp://; write "
        '"rtsp://HOST[:PORT]/PATH"',
    ),
    (
        CAMERA + '[cameras.front.sub]\nurl = "rtsp://x/sub"\npassword = "hush"\n',
        "camgate.toml:5: cameras.front.sub.password: is given without a user name; write username as well",
    ),
    # Wrong types and values.
    (
        '[webrtc]\nport = "8108"\n' + CAMERA,
        "camgate.toml:2: webrtc.port: is text in quotes; write a whole number from 0 to 65535, without quotes",
    ),
    (
        "[webrtc]\nport = true\n" + CAMERA,
        "camgate.toml:2: webrtc.port: is true or false; write a whole number from 0 to 65535, without quotes",
    ),
    (
        "[webrtc]\nport = 65536\n" + CAMERA,
        "camgate.toml:2: webrtc.port: is 65536; write a whole number from 0 to 65535",
    ),
    (
        "[server]\nlisten = 8107\n" + CAMERA,
        'camgate.toml:2: server.listen: is a whole number; write "ADDRESS:PORT", such as "127.0.0.1:8107", '
        '"0.0.0.0:8107" or "[::1]:8107"',
    ),
    (
        '[server]\nlisten = "127.0.0.1:99999"\n' + CAMERA,
        'camgate.toml:2: server.listen: is no address and port to listen on; write "ADDRESS:PORT", such as '
        '"127.0.0.1:8107", "0.0.0.0:8107" or "[::1]:8107"',
    ),
    (
        '[server]\nlisten = "127.0.0.1:8108"\n' + CAMERA,
        "camgate.toml:2: server.listen: port 8108 would be used by HTTP and by WebRTC; give each a port of its own",
    ),
    (
        '[server]\nshutdown_deadline_s = "3s"\n' + CAMERA,
        "camgate.toml:2: server.shutdown_deadline_s: is text in quotes; write seconds from 0.1 to 60, without quotes",
    ),
    (
        "[server]\nshutdown_deadline_s = nan\n" + CAMERA,
        "camgate.toml:2: server.shutdown_deadline_s: is nan; write seconds from 0.1 to 60",
    ),
    (
        '[server]\ncors_origins = "*"\n' + CAMERA,
        'camgate.toml:2: server.cors_origins: is text in quotes; write a list, such as ["https://example.org"]',
    ),
    (
        '[server]\ncors_origins = [\n  "*",\n  "example.org/x"]\n' + CAMERA,
        'camgate.toml:4: server.cors_origins[1]: is no origin; write "https://example.org", with a port if it is not '
        'the usual one and without a path, or "*" for all',
    ),
    (
        '[server]\nframe_ancestors = ["self"]\n' + CAMERA,
        "camgate.toml:2: server.frame_ancestors[0]: means a host of that name; write \"'self'\", \"'none'\", "
        '"*", or "https://example.org", with both kinds of quotes',
    ),
    (
        "[server]\nframe_ancestors = [\"'self'; script-src *\"]\n" + CAMERA,
        "camgate.toml:2: server.frame_ancestors[0]: is nobody who could embed a page; write \"'self'\", \"'none'\", "
        '"*", or "https://example.org"',
    ),
    (
        "[webrtc]\nadvertise = []\n" + CAMERA,
        'camgate.toml:2: webrtc.advertise: is an empty list; write a list such as ["auto", "203.0.113.7"], or leave '
        "the key out",
    ),
    (
        '[webrtc]\nadvertise = ["http://x/"]\n' + CAMERA,
        "camgate.toml:2: webrtc.advertise[0]: is no host name or address; write a name or an address alone, such as "
        '"cameras.example.org" or "192.0.2.10"',
    ),
    *(
        (
            f'[webrtc]\nadvertise = ["auto", "{address}"]\n' + CAMERA,
            "camgate.toml:2: webrtc.advertise[1]: is no host name or address; write a name or an address alone, such "
            'as "cameras.example.org" or "192.0.2.10"',
        )
        for address in ("1.2.3", "8", "192.0.2.256", "0x7f000001", "cams.7")
    ),
    (
        '[logging]\nlevel = "loud"\n' + CAMERA,
        'camgate.toml:2: logging.level: is an unknown word; write "debug" or "info" or "warning" or "error"',
    ),
    (
        "logging = 1\n" + CAMERA,
        "camgate.toml:1: logging: is a whole number; write a table: [logging]",
    ),
    # Cameras.
    (
        "",
        'camgate.toml: cameras: there are none; write at least one: [cameras.front] with url = "rtsp://…" below it',
    ),
    (
        "[[cameras]]\nname = 'front'",
        'camgate.toml:1: cameras: is a list; write a table: [cameras.front] with url = "rtsp://…" below it',
    ),
    (
        "[cameras]\nfront = 'rtsp://192.0.2.10/'",
        "camgate.toml:2: cameras.front: is text in quotes; write a table: [cameras.NAME] with url = "
        '"rtsp://…" below it',
    ),
    (
        '[cameras.""]\nurl = "rtsp://cam/"',
        'camgate.toml:1: cameras."": a camera has an empty name; write [cameras.NAME] with letters, digits, `-`, `_` '
        'and `.`, or with spaces in between as [cameras."A B"]',
    ),
    (
        '[cameras."front/door"]\nurl = "rtsp://cam/"',
        'camgate.toml:1: cameras."front/door": is no name for a camera, since it becomes part of URLs; it begins with '
        "a letter or digit: write [cameras.NAME] with letters, digits, `-`, `_` and `.`, or with spaces in between as "
        '[cameras."A B"], and call it what you like by title',
    ),
    (
        CAMERA + CAMERA,
        "camgate.toml:3: cameras.front: is there twice; each camera needs a name of its own",
    ),
    (
        CAMERA + '[cameras.Front]\nurl = "rtsp://cam/"',
        "camgate.toml:3: cameras.Front: differs from front only in capital letters; choose another name",
    ),
    (
        "[cameras.front]\ntitle = 'x'",
        'camgate.toml:1: cameras.front: has no url; write url = "rtsp://HOST[:PORT]/PATH"',
    ),
    (
        '[cameras.front]\nurl = "http://cam/"',
        "camgate.toml:2: cameras.front.url: is no URL of a camera: it does not begin with rtsp://; write "
        '"rtsp://HOST[:PORT]/PATH"',
    ),
    (
        CAMERA + "tls_insecure = true",
        "camgate.toml:3: cameras.front.tls_insecure: is given, and the url begins with rtsp://, without TLS; write "
        "rtsps://, or leave it out",
    ),
    (
        CAMERA_TLS + "tls_insecure = true\ntls_fingerprint = 'sha256:" + 32 * "aB" + "'",
        "camgate.toml:3: cameras.front.tls_insecure: is true, and tls_fingerprint is given, which trusts one "
        "certificate; write one of them",
    ),
    (
        CAMERA_TLS + "tls_insecure = 'yes'",
        "camgate.toml:3: cameras.front.tls_insecure: is text in quotes; write true or false, without quotes",
    ),
    (
        CAMERA_TLS + "tls_fingerprint = 'sha1:" + 20 * "ab" + "'",
        'camgate.toml:3: cameras.front.tls_fingerprint: is no fingerprint; write "sha256:" and 64 hexadecimal digits, '
        "as `camgate probe` shows them",
    ),
    (
        '[cameras.front]\nurl = ""',
        "camgate.toml:2: cameras.front.url: is empty; write text, or leave the key out",
    ),
    (
        CAMERA_TLS + "transport = 'udp'",
        'camgate.toml:3: cameras.front.transport: is "udp", which TLS does not protect, and the url begins with '
        'rtsps://; write "tcp"',
    ),
    (
        CAMERA + "password = 'canary'",
        "camgate.toml:3: cameras.front.password: is given without a user name; write username as well",
    ),
    (
        CAMERA + "username = 'a'\npassword = 12345",
        "camgate.toml:4: cameras.front.password: is a whole number; write text in quotes",
    ),
    (
        CAMERA + "username = 'a'\npassword = '${NOT_SET}'",
        "camgate.toml:4: cameras.front.password: environment variable NOT_SET is not set; set it, or write $${ where "
        "${ itself is meant",
    ),
    (
        CAMERA + "username = 'a'\npassword = '${EMPTY}'",
        "camgate.toml:4: cameras.front.password: environment variable EMPTY is empty; set it, or write $${ where ${ "
        "itself is meant",
    ),
    (
        CAMERA + "username = 'a'\npassword = 'x${y'",
        "camgate.toml:4: cameras.front.password: has ${ without the name of an environment variable and }; write "
        "${NAME}, or $${ for ${ itself",
    ),
    (
        "[cameras.front]\nurl = 'rtsp://a:canary@cam/'\npassword = 'canary'",
        "camgate.toml:3: cameras.front.password: is given, and the url has a password too; write it in one place",
    ),
    (
        "[cameras.front]\nurl = 'rtsp://a:canary@cam/'\nusername = 'b'",
        "camgate.toml:3: cameras.front.username: is given, and the url has a user name too; write it in one place",
    ),
    # No TOML.
    (
        "[server]\nlisten = 127.0.0.1:8107\n",
        "camgate.toml:2: is not TOML: expected newline or end of document after a statement; write key = value, with "
        "quotes around text",
    ),
    (
        '[cameras.front]\npassword = "hush\\etc"\n',
        "camgate.toml:2: is not TOML: unescaped '\\' in a string; write \\\\ for \\, or 'single quotes' around the "
        "text",
    ),
    (
        '[cameras.front door]\nurl = "rtsp://camera/"\n',
        "camgate.toml:1: is not TOML: expected ']' at the end of a table declaration; write [cameras.NAME], a NAME of "
        "letters, digits, - and _",
    ),
    (
        "[server]\nlisten = 'x\n",
        'camgate.toml:2: is not TOML: expected "\'"; write key = value, with quotes around text',
    ),
    (
        "[server]\nmax_viewers = 1\nmax_viewers = 2\n",
        "camgate.toml:3: the key of this line is there twice; keep one of them",
    ),
    (
        "[server]\n[webrtc]\n[server]\n",
        "camgate.toml:3: server: is there twice; each table may stand only once",
    ),
    (
        "port = " + "9" * 5000,
        "camgate.toml: holds a number that is too long; write a shorter one",
    ),
    (
        "x = " + "[" * 5000,
        "camgate.toml: is nested too deeply; write tables as [server]",
    ),
]


@pytest.mark.parametrize(("text", "line"), BAD)
def test_bad_config(text: str, line: str) -> None:
    problems = problems_of(text, EMPTY="")
    assert problems == [line]
    assert "canary" not in line


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    problems = problems_of(
        """
        [cameras.front]
        transport = "smoke"
        url = "192.0.2.10"
        password_file = "/does/not/exist"
        [webrtc]
        port = -1
        [server]
        listen = ""
        """
    )
    assert [line.split(" ")[1] for line in problems] == [
        "cameras.front.transport:",
        "cameras.front.url:",
        "cameras.front.password_file:",
        "webrtc.port:",
        "server.listen:",
    ]
    assert [line.split(" ")[1] for line in problems_of("[camera.front]")] == ["camera:", "cameras:"], "none comes last"


@pytest.mark.parametrize(
    ("url", "username", "password"),
    [
        ("rtsp://cam/live", None, None),
        ("rtsp://admin@cam/live", "admin", None),
        ("rtsp://admin:secret1@cam/live", "admin", "secret1"),
        ("rtsp://admin:p%40ss@cam/live", "admin", "p@ss"),
        ("rtsp://admin:p@s/s?#%@192.0.2.1/live", "admin", "p@s/s?#%"),
        ("rtsp://admin:${PASSWORD}@192.0.2.1/live", "admin", "p@s/s:?#%41"),
        ("rtsp://${LOGIN}@192.0.2.1/live", "ad min", "x:/y"),
        ("${URL}", "admin", "whole1"),
    ],
)
def test_credentials_leave_the_url(url: str, username: str | None, password: str | None) -> None:
    camera = camera_of(
        f"url = '{url}'", PASSWORD="p@s/s:?#%41", LOGIN="ad min:x:/y", URL="rtsp://admin:whole1@192.0.2.1/live"
    )
    assert camera.url in ("rtsp://cam/live", "rtsp://192.0.2.1/live")
    assert (camera.username, camera.password) == (username, password)
    if password:
        assert password not in mask(f"<{password}>")
        assert password not in repr(camera)


def test_environment_in_all_login_keys() -> None:
    camera = camera_of(
        "url = 'rtsp://${HOST}/live?key=${KEY}'\nusername = '${USER_NAME}'\npassword = 'pre-${PASSWORD}-$${post}'",
        HOST="192.0.2.77",
        KEY="canary-key",
        USER_NAME="canary-user",
        PASSWORD="canary-password",
    )
    assert camera.url == "rtsp://192.0.2.77/live?key=canary-key"
    assert camera.username == "canary-user"
    assert camera.password == "pre-canary-password-${post}"
    masked = mask("at 192.0.2.77: canary-key canary-user canary-password pre-canary-password-${post}")
    assert masked == "at 192.0.2.77: *** *** *** ***"


def test_environment_elsewhere_is_not_replaced() -> None:
    assert camera_of("url = 'rtsp://cam/'\ntitle = '${HOME}'").title == "${HOME}"


def test_password_file_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "front.password").write_bytes("canary-filé\r\n".encode())
    (tmp_path / "camgate.toml").write_text(CAMERA + "username = 'a'\npassword_file = 'front.password'")
    camera = load(tmp_path / "camgate.toml", {}).cameras["front"]
    assert camera.password == "canary-filé"
    assert mask("canary-filé") == "***"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; write the password into it"),
        (b"\n", "is empty; write the password into it"),
        (b"hush-hush\nmore\n", "holds more than one line; write the password into it and nothing else"),
        (b"c" * 5000, "holds more than one line; write the password into it and nothing else"),
        (b"hush-hush\xff", "is not UTF-8 text; write the password into it and nothing else"),
        (None, ": No such file or directory; name a file that holds the password and nothing else"),
    ],
)
def test_bad_password_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "pw").write_bytes(content)
    (problem,) = problems_of(CAMERA + "username = 'a'\npassword_file = 'pw'", tmp_path)
    assert problem.startswith("camgate.toml:4: cameras.front.password_file: ")
    assert str(tmp_path / "pw") in problem
    assert problem.endswith(words)
    assert "hush-hush" not in problem


def test_password_and_password_file(tmp_path: Path) -> None:
    (problem,) = problems_of(CAMERA + "username = 'a'\npassword = 'b'\npassword_file = 'c'", tmp_path)
    assert problem == "camgate.toml:5: cameras.front.password_file: is given, and password too; write one of them"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "FILE: does not exist; write one with `camgate init`, or name another"),
        (b"[server]\n\n# \xff", "FILE:3: is not UTF-8 text; save it as UTF-8"),
        (b"#" * (MAX_FILE_BYTES + 1), f"FILE: is larger than {MAX_FILE_BYTES} bytes; name a config file"),
    ],
)
def test_bad_file(tmp_path: Path, content: bytes | None, line: str) -> None:
    file = tmp_path / "camgate.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value) == line.replace("FILE", str(file))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a directory; name the file in it$"):
        load(tmp_path, {})


def test_a_file_that_may_not_be_read() -> None:
    class Unreadable(type(Path())):  # type: ignore[misc]  # the tests may run as root, whom no mode keeps out
        def open(self, *args: object, **more: object) -> None:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(ConfigError, match=r"^secret.toml: may not be read by this user; change its owner or mode$"):
        load(Unreadable("secret.toml"), {})


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbf" + CAMERA.replace("\n", "\r\n").encode())
    assert load(tmp_path / "c.toml", {}) == settings_of(CAMERA)


def test_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("camgate.config.load.SYSTEM_FILE", tmp_path / "system.toml")
    with pytest.raises(ConfigError, match="camgate init"):
        find_config_file(None)
    LOCAL_FILE.touch()
    assert find_config_file(None) == LOCAL_FILE
    (tmp_path / "system.toml").touch()
    assert find_config_file(None) == tmp_path / "system.toml"
    assert find_config_file(Path("mine.toml")) == Path("mine.toml")


def test_a_failed_start_names_the_line_of_its_key(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[webrtc]\n[server]\nlisten = "127.0.0.1:80"\n' + CAMERA)
    error = StartError("server.listen", "port 80 is in use; choose another port")
    line = f"{file}:3: server.listen: port 80 is in use; choose another port"
    assert str(start_problem(error, file)) == line
    assert str(start_problem(StartError("webrtc.port", "x"), file)) == f"{file}: webrtc.port: x"
    assert str(start_problem(error, tmp_path / "gone")) == line.replace("c.toml:3", "gone")
    assert str(start_problem(error, None)) == "camgate: server.listen: port 80 is in use; choose another port"


MAIN = """
url = "rtsp://192.0.2.10/main"
username = "admin"
password = "p@ss"
transport = "tcp"
stall_timeout_s = 9
linger_s = 60
[cameras.front.sub]
"""


def sub_of(body: str) -> CameraSettings:
    sub = camera_of(MAIN + body).sub
    assert sub is not None
    return sub


def test_an_empty_table_says_that_there_are_no_cameras_yet() -> None:
    assert settings_of("[cameras]\n").cameras == {}


def test_a_sub_stream_is_as_its_camera_and_on_demand() -> None:
    sub = sub_of('url = "rtsp://192.0.2.10/sub"')
    assert (sub.name, sub.url, sub.username, sub.password) == ("front/sub", "rtsp://192.0.2.10/sub", "admin", "p@ss")
    assert (sub.transport, sub.stall_timeout_s, sub.linger_s, sub.on_demand) == (Transport.TCP, 9, 60, True)
    assert camera_of(MAIN + 'url = "rtsp://192.0.2.10/sub"').on_demand is False


@pytest.mark.parametrize(
    ("body", "username", "password"),
    [
        ('url = "rtsp://192.0.2.10/sub"\nusername = "viewer"\npassword = "other"', "viewer", "other"),
        ('url = "rtsp://viewer:other@192.0.2.10/sub"', "viewer", "other"),
        ('url = "rtsp://192.0.2.10:8554/sub"', "admin", "p@ss"),
        ('url = "rtsp://192.0.2.11/sub"', None, None),
    ],
)
def test_a_login_goes_to_no_other_host(body: str, username: str | None, password: str | None) -> None:
    sub = sub_of(body)
    assert (sub.username, sub.password) == (username, password)


def test_a_sub_stream_that_trusts_otherwise_than_its_camera() -> None:
    fingerprint = "sha256:" + "ab" * 32
    main = CAMERA_TLS.removeprefix("[cameras.front]\n") + "tls_insecure = true\n[cameras.front.sub]\n"
    sub = camera_of(main + f'url = "rtsps://192.0.2.10/sub"\ntls_fingerprint = "{fingerprint}"').sub
    assert sub is not None
    assert (sub.tls_fingerprint, sub.tls_insecure) == (fingerprint, False)
    sub = camera_of(main + 'url = "rtsps://192.0.2.10/sub"').sub
    assert sub is not None
    assert sub.tls_insecure


def test_a_sub_stream_over_tls_takes_no_udp_from_its_camera() -> None:
    config = CAMERA + 'transport = "udp"\n[cameras.front.sub]\nurl = "rtsps://192.0.2.10/sub"\n'
    assert problems_of(config) == [
        'camgate.toml:5: cameras.front.sub.url: transport, of its camera, is "udp", which TLS does not protect, '
        'and the url begins with rtsps://; write "tcp" in [cameras.front.sub]'
    ]
    assert parse(config + 'transport = "tcp"\n', {}, file="camgate.toml", directory=Path()).cameras["front"].sub


def test_a_sub_stream_is_asked_for_key_frames_where_its_camera_is() -> None:
    main = MAIN.replace("[cameras.front.sub]", 'onvif = "192.0.2.10:8000"\n[cameras.front.sub]')

    def onvif_of(body: str) -> str | None:
        sub = camera_of(main + body).sub
        assert sub is not None
        return sub.onvif

    assert camera_of(main + 'url = "rtsp://192.0.2.10/sub"').onvif == "192.0.2.10:8000"
    assert onvif_of('url = "rtsp://192.0.2.10/sub"') == "192.0.2.10:8000"
    # A login is for one machine, and must not be sent to another.
    assert onvif_of('url = "rtsp://192.0.2.11/sub"') is None
    assert onvif_of('url = "rtsp://192.0.2.10/sub"\nusername = "other"\npassword = "x"') is None
