"""`[webrtc] stun` and `[webrtc.turn.NAME]`: what is wrong is said in one sentence, and never with the secret."""

from pathlib import Path

import pytest

from camgate.base.secrets import mask
from camgate.config.errors import ConfigError
from camgate.config.load import parse
from camgate.config.model import TurnSettings, WebRtcSettings

CAMERA = '[cameras.front]\nurl = "rtsp://192.0.2.1/1"\n'
URLS = 'urls = ["turn:turn.example.org"]'


def read(text: str, directory: Path = Path()) -> WebRtcSettings:
    return parse(CAMERA + text, {"TURN_SECRET": "north-wind"}, file="c.toml", directory=directory).webrtc


def turn(*lines: str) -> str:
    return "\n".join(["[webrtc.turn.near]", *lines, ""])


@pytest.mark.parametrize("line", ['secret = "north-wind"', 'secret = "${TURN_SECRET}"', 'secret_file = "s"'])
def test_all_ways_to_write_a_secret_are_the_same(tmp_path: Path, line: str) -> None:
    (tmp_path / "s").write_text("north-wind\n")
    settings = read(turn(URLS, line, "lifetime_s = 3600"), tmp_path).turn["near"]
    assert settings == TurnSettings(urls=("turn:turn.example.org",), secret="north-wind", lifetime_s=3600)


def test_a_user_and_password_do_as_well() -> None:
    settings = read(turn(URLS, 'username = "camgate"', 'password = "east-wind"')).turn["near"]
    assert (settings.username, settings.password, settings.secret) == ("camgate", "east-wind", None)


def test_what_was_in_the_file_is_masked_from_then_on() -> None:
    settings = read(
        turn(URLS, 'secret = "west-wind"') + '[webrtc.turn.far]\nusername = "u"\npassword = "south-wind"\n' + URLS
    )
    assert mask("west-wind and south-wind") == "*** and ***"
    assert "wind" not in repr(settings)


def test_stun_servers_are_urls() -> None:
    assert read('[webrtc]\nadvertise = ["stun"]\nstun = ["stun:192.0.2.1:3478"]\n').stun == ("stun:192.0.2.1:3478",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (turn(URLS), "c.toml:3: webrtc.turn.near: lets nobody in; write secret or secret_file"),
        (
            turn('secret = "hush"'),
            'c.toml:3: webrtc.turn.near: has no urls; write urls = ["turn:turn.example.org:3478"]',
        ),
        (turn('urls = ["stun:a.example"]', 'secret = "hush"'), "c.toml:4: webrtc.turn.near.urls[0]: is no TURN server"),
        (turn('urls = ["turn:anna:hush@a.example"]', 'secret = "hush"'), "has neither // nor a login"),
        (turn(URLS, 'secret = "hush"', 'password = "hush"'), "password: is given, and secret too; write one of them"),
        (turn(URLS, 'secret = "hush"', 'username = "u"'), "username: is given, and a secret too"),
        (turn(URLS, 'password = "hush"'), "webrtc.turn.near: has password and no username"),
        (turn(URLS, 'password = "hush"', 'username = "ü"'), "username: holds characters beyond ASCII"),
        (turn(URLS, 'password = "hüsh"', 'username = "u"'), "password: holds characters beyond ASCII"),
        (turn(URLS, 'password = "hush"', 'username = "u"', "lifetime_s = 60"), "lifetime_s: is for credentials that"),
        (turn(URLS, 'secret = "hush"', "lifetime_s = 5"), "lifetime_s: is 5; write seconds from 60 to"),
        (turn(URLS, 'secret = "${NONE}"'), "secret: environment variable NONE is not set"),
        (turn(URLS, 'secret_file = "nowhere"'), "secret_file: cannot read"),
        (turn(URLS, 'secrets = "hush"'), "secrets: there is no such key; did you mean secret?"),
        ("[webrtc]\nturn = 5\n", "webrtc.turn: is a whole number; write a table: [webrtc.turn.NAME]"),
        ("[webrtc.turn]\nnear = 5\n", "webrtc.turn.near: is a whole number; write a table: [webrtc.turn.NAME]"),
        (
            '[webrtc]\nadvertise = ["auto", "stun"]\n',
            "webrtc.advertise: names stun, and there is no STUN server to ask",
        ),
        ('[webrtc]\nstun = ["turn:a.example"]\n', "webrtc.stun[0]: is no STUN server; write"),
        ('[webrtc]\nstun = ["a.example"]\n', 'webrtc.stun[0]: is no STUN or TURN URL; write "stun:HOST"'),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert sentence in str(caught.value)
    assert "hush" not in str(caught.value)
