"""`[rtsp_server.users.NAME]`: one secret each, whose errors say what would be right and never what it is."""

from pathlib import Path

import pytest

from camgate.base.secrets import mask
from camgate.config.errors import ConfigError
from camgate.config.load import parse
from camgate.config.model import RtspServerSettings
from camgate.wire.rtsp.server_login import hash_password

CAMERA = '[cameras.front]\nurl = "rtsp://192.0.2.1/1"\n'
SHA, MD5 = (hash_password("recorder", "correct horse")[algorithm] for algorithm in ("SHA-256", "MD5"))


def read(text: str, directory: Path = Path()) -> RtspServerSettings:
    environ = {"RECORDER_PASSWORD": "correct horse"}
    return parse(CAMERA + text, environ, file="camgate.toml", directory=directory).rtsp_server


def problems(text: str, directory: Path = Path()) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, directory)
    return str(caught.value)


def user(line: str, name: str = "recorder") -> str:
    return f"[rtsp_server.users.{name}]\n{line}\n"


@pytest.mark.parametrize(
    "line",
    [
        'password = "correct horse"',
        'password = "${RECORDER_PASSWORD}"',
        'password_file = "p"',
        f'ha1 = ["{MD5}", "{SHA.upper()}"]',
    ],
    ids=["password", "environment", "file", "ha1"],
)
def test_all_ways_to_write_a_password_are_the_same(tmp_path: Path, line: str) -> None:
    (tmp_path / "p").write_text("correct horse\n")
    assert read(user(line), tmp_path).users == {"recorder": hash_password("recorder", "correct horse")}


def test_one_ha1_is_enough() -> None:
    assert read(user(f'ha1 = "{MD5}"')).users == {"recorder": {"MD5": MD5}}


def test_what_was_in_the_file_is_masked_from_then_on() -> None:
    read(user('password = "battery-staple"') + user(f'ha1 = "{MD5}"', "other"))
    assert "battery-staple" not in mask("the password is battery-staple")
    assert MD5 not in mask(f"the hash is {MD5}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (user(""), "camgate.toml:3: rtsp_server.users.recorder: has no password; write password, password_file or ha1"),
        (user('password = "x"\nha1 = "y"'), "rtsp_server.users.recorder.ha1: is given, and password too; write one"),
        (user('ha1 = "correct"'), "rtsp_server.users.recorder.ha1: is no HA1; write the 64 hexadecimal digits of"),
        (user("ha1 = 5"), "is a whole number; write the 64 hexadecimal digits of SHA-256, or the 32 of MD5"),
        (user('pasword = "x"'), "there is no such key; did you mean password?"),
        (user('password_file = "missing"'), "cannot read missing"),
        (user('password = "x"', '"a:b"'), "is no name for a user; write up to 64 characters that can be printed"),
        ("[rtsp_server]\nusers = 5\n", "rtsp_server.users: is a whole number; write a table"),
        ("[rtsp_server.users]\nrecorder = 5\n", "is a whole number; write a table: [rtsp_server.users.NAME] with pass"),
        (
            user(f'ha1 = "{MD5}"') + user(f'ha1 = "{SHA}"', "other"),
            "rtsp_server.users: some have an HA1 of MD5 only, others one of SHA-256",
        ),
    ],
)
def test_mistakes_are_told_in_words_and_without_the_secret(text: str, sentence: str) -> None:
    told = problems(text)
    assert sentence in told
    assert "correct" not in told
    assert MD5 not in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('listen = "127.0.0.1:8107"', "port 8107 is used by HTTP; give each a port of its own"),
        ('listen = "127.0.0.1:8108"', "port 8108 is used by WebRTC; give each a port of its own"),
        ('listen = "127.0.0.1:8106"\n[server]\nlisten = "127.0.0.1:1"', None),
        ('listen = "127.0.0.1:8200"\n[webrtc]\nport = 8201', "UDP port 8201 is used by WebRTC, and RTSP sends from"),
        ('listen = "127.0.0.1:8200"\nudp = false\n[webrtc]\nport = 8201', None),
        ('listen = "8554"', "is no address and port to listen on"),
        ('listen = ""', None),
    ],
)
def test_ports_are_not_used_twice(text: str, sentence: str | None) -> None:
    text = f"[rtsp_server]\n{text}\n"
    if sentence is None:
        read(text)
    else:
        assert f"rtsp_server.listen: {sentence}" in problems(text)


def test_certificates_are_beside_the_config(tmp_path: Path) -> None:
    settings = read('[rtsp_server]\ntls_certificate = "c.pem"\ntls_key = "/etc/k.pem"\n', tmp_path)
    assert (settings.tls_certificate, settings.tls_key) == (str(tmp_path / "c.pem"), "/etc/k.pem")
    assert "is given without tls_certificate" in problems('[rtsp_server]\ntls_key = "k.pem"\n')
