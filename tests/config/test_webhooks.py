"""`[webhooks.NAME]`: what is wrong is said in one sentence, and never with the secret."""

import base64
from pathlib import Path

import pytest

from camgate.base.secrets import mask
from camgate.config.errors import ConfigError
from camgate.config.load import parse
from camgate.config.model import WebhookSettings

CAMERA = '[cameras.front]\nurl = "rtsp://192.0.2.1/1"\n'
URL = 'url = "https://home.example.org/hook"'
SECRET = "whsec_" + base64.b64encode(b"the north wind and the sun").decode()


def read(*lines: str, directory: Path = Path()) -> WebhookSettings:
    text = "\n".join([CAMERA + "[webhooks.house]", *lines, ""])
    return parse(text, {"HOOK": SECRET}, file="c.toml", directory=directory).webhooks["house"]


@pytest.mark.parametrize("line", [f'secret = "{SECRET}"', 'secret = "${HOOK}"', 'secret_file = "s"'])
def test_all_ways_to_write_a_secret_are_the_same(tmp_path: Path, line: str) -> None:
    (tmp_path / "s").write_text(f"{SECRET}\n")
    settings = read(URL, line, 'events = ["camera.down"]', "after_s = 0", directory=tmp_path)
    assert settings == WebhookSettings(
        url="https://home.example.org/hook", secret=SECRET, events=("camera.down",), after_s=0
    )


def test_what_was_in_the_file_is_masked_from_then_on() -> None:
    settings = read('url = "https://anna:west-wind@home.example.org/api/webhook/east"', f'secret = "{SECRET}"')
    bare = SECRET.removeprefix("whsec_")
    assert mask(f"{bare} west-wind /api/webhook/east") == "*** *** ***"
    assert "wind" not in repr(settings)
    assert bare not in repr(settings)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([URL], "c.toml:3: webhooks.house: has no secret, nor a secret_file; write"),
        ([f'secret = "{SECRET}"'], "c.toml:3: webhooks.house: has no url; write"),
        ([URL, f'secret = "{SECRET}"', 'secret_file = "s"'], "secret_file: is given, and secret too; write one"),
        ([URL, 'secret = "hush"'], "webhooks.house.secret: is no secret of 24 to 64 bytes in base64; write"),
        ([URL, 'secret = "whsec_hush"'], "webhooks.house.secret: is no secret of 24 to 64 bytes in base64; write"),
        ([URL, 'secret = "whsec_!!!!"'], "webhooks.house.secret: is no secret of 24 to 64 bytes in base64; write"),
        ([URL, f'secret = "{SECRET.removeprefix("whsec_")}"'], "is no secret of 24 to 64 bytes in base64; write"),
        (['url = "rtsp://a/b"', f'secret = "{SECRET}"'], "webhooks.house.url: is no address of a web server; write"),
        (['url = "https://a..b/c"', f'secret = "{SECRET}"'], "webhooks.house.url: is no address of a web server"),
        ([URL, f'secret = "{SECRET}"', 'events = ["down"]'], 'events[0]: is an unknown word; write "camera.up" or'),
        ([URL, f'secret = "{SECRET}"', "events = []"], "webhooks.house.events: is an empty list"),
        ([URL, f'secret = "{SECRET}"', "retries = 3"], "webhooks.house.retries: there is no such key"),
    ],
)
def test_mistakes_are_told_in_a_sentence(lines: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(*lines)
    assert sentence in str(error.value)
    assert "hush" not in str(error.value)
    assert "north" not in str(error.value)


def test_webhooks_are_tables() -> None:
    with pytest.raises(ConfigError, match=r"webhooks: is a list; write a table: \[webhooks.NAME\]"):
        parse(f"{CAMERA}[[webhooks]]\n{URL}\n", {}, file="c.toml", directory=Path())
