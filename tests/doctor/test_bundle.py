"""The support archive: canaries stand in every place of a secret, and none comes out."""

import base64
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import jwt
import pytest

from camgate.base.secrets import forget_secrets
from camgate.config.errors import ConfigError
from camgate.config.load import load
from camgate.config.model import LoggingSettings, Settings
from camgate.doctor import bundle
from camgate.doctor.bundle import MAX_LOG_BYTES, BundleFailed, Contents, last_lines, last_log_lines, write_bundle
from camgate.doctor.redact import register_secrets_in, scrub
from tests.fakes.accounts import CHEAP

HASH = CHEAP.hash("canary-account")
HA1 = "5e55106c" * 8
TOKEN = jwt.encode({"sub": "anna", "exp": 2_000_000_000}, "canary-signing-key-of-32-bytes-12", algorithm="HS256")
CANARIES = {
    "password of a camera": "canary/pass@word 1",
    "password in a url": "canary-in-url",
    "password in a query": "canary-in-query",
    "password of a sub-stream": "canary-sub",
    "password from the environment": "canary-environ",
    "password in a file": "canary-in-file",
    "password of an rtsp user": "canary-rtsp-user",
    "ha1 of an rtsp user": HA1,
    "hash of an account": HASH.rpartition("$")[2],
    "value of a mistyped key": "canary-mistyped",
    "secret of a table of tomorrow": "canary-turn-secret",
    "secret of a turn server": "canary-turn-shared",
    "password of a turn server": "canary-turn-password",
    "login of a callback": "canary-callback",
    "address of a webhook": "/api/webhook/canary-webhook",
    "secret of a webhook": base64.b64encode(b"canary-signs-the-webhooks").decode(),
    "key of an issuer's address": "canary-jwks-key",
    "comment": "canary-comment",
    "token": TOKEN.rpartition(".")[2],
    "claims of a token": TOKEN.split(".")[1],
    "share link": "canary0share0link",
    "unknown word in a query": "canary-odd-query",
    "basic login of nobody registered": base64.b64encode(b"nobody:canary-basic").decode(),
    "private key": "Y2FuYXJ5LXByaXZhdGUta2V5",
}
CONFIG = f"""
# the old password was {CANARIES["comment"]}
[logging]
output = "file"
directory = "logs"
[auth.users.anna]
password_hash = "{HASH}"
roles = ["viewer"]
[auth.callback]
url = "https://anna:{CANARIES["login of a callback"]}@auth.example.org/ask"
[auth.issuers.home]
issuer = "https://id.example.org"
audience = ["camgate"]
jwks_url = "https://id.example.org/keys?apikey={CANARIES["key of an issuer's address"]}"
[webhooks.house]
url = "https://hooks.example.org{CANARIES["address of a webhook"]}"
secret = "whsec_{CANARIES["secret of a webhook"]}"
[webrtc.turn.own]
urls = ["turn:192.0.2.50:3478"]
secret = "{CANARIES["secret of a turn server"]}"
[webrtc.turn.bought]
urls = ["turns:turn.example.org:443"]
username = "camgate"
password = "{CANARIES["password of a turn server"]}"
[rtsp_server]
listen = "127.0.0.1:8554"
[rtsp_server.users.recorder]
password = "{CANARIES["password of an rtsp user"]}"
[rtsp_server.users.player]
ha1 = "{HA1}"
[cameras.front]
url = "rtsp://192.0.2.10:554/stream1?channel=1&password={CANARIES["password in a query"]}"
username = "viewer"
password = "{CANARIES["password of a camera"]}"
[cameras.front.sub]
url = "rtsp://192.0.2.10:554/sub?auth_odd={CANARIES["unknown word in a query"]}"
username = "viewer"
password = "{CANARIES["password of a sub-stream"]}"
[cameras.yard]
url = "rtsp://viewer:{CANARIES["password in a url"]}@cam.example.org/live"
[cameras.gate]
url = "rtsp://192.0.2.100/live"
username = "viewer"
password = "${{GATE_PASSWORD}}"
[cameras.door]
url = "rtsp://192.0.2.101/live"
username = "viewer"
password_file = "door.password"
"""
MISTAKES = f"""
[cameras.old]
url = "rtsp://192.0.2.102/"
pasword = "{CANARIES["value of a mistyped key"]}"
[webrtc.turnn.home]
secret = "{CANARIES["secret of a table of tomorrow"]}"
"""


def log_lines(config: str) -> str:
    """What the log of a config would look like if its own mask had missed everything."""
    known = set(CANARIES) - UNREGISTERED - (set() if MISTAKES in config else IN_MISTAKES)
    lines = [f"something with {CANARIES[name]} in it" for name in known]
    lines += [f"percent-encoded {quote(CANARIES[name], safe='')}" for name in known]
    lines += [
        f"GET /ws?token={TOKEN} HTTP/1.1",
        f"Authorization: Bearer {TOKEN}",
        f"a token by itself: {TOKEN}",
        f"GET /share/{CANARIES['share link']} 200",
        f"authorization: Basic {CANARIES['basic login of nobody registered']}",
        f"dialling rtsp://x:{CANARIES['password in a url']}@192.0.2.10/ and 192.0.2.100",
        f"dialling rtsp://192.0.2.10:554/sub?auth_odd={CANARIES['unknown word in a query']}",
        f"hash {HASH}",
        f"-----BEGIN EC PRIVATE KEY-----\n{CANARIES['private key']}\n-----END EC PRIVATE KEY-----",
    ]
    return "\n".join(lines) + "\nthe last line, harmless\n"


UNREGISTERED = {
    "comment",
    "token",
    "claims of a token",
    "share link",
    "unknown word in a query",
    "hash of an account",
    "basic login of nobody registered",
    "private key",
}
"""Nobody can know these by value: they are found by their looks, where they stand as they do in logs."""
IN_MISTAKES = {"value of a mistyped key", "secret of a table of tomorrow"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "door.password").write_text(CANARIES["password in a file"])
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "camgate-2026-11-27.log").write_text("yesterday\n")
    os.utime(tmp_path / "logs" / "camgate-2026-11-27.log", (1, 1))
    return tmp_path


def archive_of(directory: Path, text: str, *, hide_hosts: bool = False) -> dict[str, str]:
    """Make a bundle as the command does, and return its members by name."""
    file = directory / "camgate.toml"
    file.write_text(text)
    (directory / "logs" / "camgate-2026-11-28.log").write_text(log_lines(text))
    register_secrets_in(text)
    settings = Settings(cameras={})
    problems = ""
    try:
        settings = load(file, {"GATE_PASSWORD": CANARIES["password from the environment"]})
    except ConfigError as error:
        problems = str(error)
    contents = Contents(
        doctor={"findings": [{"what": problems}, {"what": f"https://x/?token={TOKEN}"}], "note": log_lines(text)},
        config=text,
        log=last_log_lines(LoggingSettings(output="file", directory=directory / "logs")),
        server={"limits": {"max_viewers": 1000}, log_lines(text): [log_lines(text)]},
        cameras=[{"name": "front", "last_error": log_lines(text)}],
    )
    target = directory / "support.tar.gz"
    write_bundle(target, contents, settings, hide_hosts=hide_hosts)
    assert target.stat().st_mode & 0o777 == 0o600
    return dict(read(target))


def read(file: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(file) as archive:
        for member in archive:
            extracted = archive.extractfile(member)
            assert extracted is not None
            yield member.name.rpartition("/")[2], extracted.read().decode()


def leaks(members: dict[str, str]) -> set[tuple[str, str]]:
    """Return which canary stands in which member, in any form that people or programs give it."""
    return {
        (name, where)
        for name, secret in CANARIES.items()
        for where, text in members.items()
        if any(form in text for form in forms(secret))
    }


def forms(secret: str) -> set[str]:
    encoded = base64.b64encode(f"viewer:{secret}".encode()).decode()
    return {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], encoded}


@pytest.mark.parametrize("text", [CONFIG, CONFIG + MISTAKES], ids=["in order", "with mistakes"])
def test_no_secret_is_in_the_archive(directory: Path, text: str) -> None:
    members = archive_of(directory, text)
    assert leaks(members) == set()
    assert set(members) == {"README.txt", "doctor.json", "config.toml", "log.txt", "server.json", "cameras.json"}
    assert members["log.txt"].endswith("the last line, harmless\n")
    assert "yesterday" not in members["log.txt"]


def test_the_search_finds_what_is_not_masked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each canary, where its mask is taken away: the test above can fail."""
    monkeypatch.setattr(bundle, "scrub", str)
    monkeypatch.setattr(bundle, "scrub_all", lambda value: value)
    monkeypatch.setattr(bundle, "redacted_config", str)
    monkeypatch.setattr(bundle, "last_log_lines", str)
    found = leaks(archive_of(directory, CONFIG + MISTAKES))
    assert {name for name, _ in found} == set(CANARIES)
    assert {where for _, where in found} >= {"doctor.json", "config.toml", "log.txt", "server.json", "cameras.json"}


def test_a_config_with_mistakes_has_its_secrets_masked_in_the_log_too(directory: Path) -> None:
    register_secrets_in(CONFIG + MISTAKES)
    assert CANARIES["value of a mistyped key"] not in scrub(f"a word: {CANARIES['value of a mistyped key']}")
    forget_secrets()
    assert CANARIES["value of a mistyped key"] in scrub(f"a word: {CANARIES['value of a mistyped key']}")


def test_what_helps_is_kept(directory: Path) -> None:
    config = archive_of(directory, CONFIG)["config.toml"]
    for line in (
        'url = "rtsp://192.0.2.10:554/stream1?channel=1&password=***"',
        'url = "rtsp://***@cam.example.org/live"',
        'username = "viewer"',
        'password = "***"',
        'listen = "127.0.0.1:8554"',
        "[auth.users.anna]",
    ):
        assert line in config
    assert "#" not in config


def test_hosts_of_cameras_are_hidden_when_asked_for(directory: Path) -> None:
    members = archive_of(directory, CONFIG, hide_hosts=True)
    texts = "\n".join(members.values())
    for host in ("192.0.2.10", "192.0.2.100", "192.0.2.101", "cam.example.org"):
        assert host not in texts
    # The same host has the same name wherever it stands, and another one another.
    lines = [line.partition("://")[2] for line in members["config.toml"].splitlines() if line.startswith('url = "rtsp')]
    hosts = [line.rpartition("@")[2].replace("/", ":").partition(":")[0] for line in lines]
    assert all(host.startswith("host-") for host in hosts)
    assert len(hosts) == 5
    assert len(set(hosts)) == 4
    assert "192.0.2.10" in "\n".join(archive_again(directory).values())


def archive_again(directory: Path) -> dict[str, str]:
    (directory / "support.tar.gz").unlink()
    return archive_of(directory, CONFIG)


def test_a_config_that_is_no_toml_is_left_out(directory: Path) -> None:
    text = f"[cameras\npassword = {CANARIES['password of a camera']}"
    assert archive_of(directory, text)["config.toml"] == "# left out: it is not TOML\n"


def test_nothing_is_overwritten(directory: Path) -> None:
    archive_of(directory, CONFIG)
    with pytest.raises(BundleFailed, match="it is there already"):
        archive_of(directory, CONFIG)
    contents = Contents(doctor={}, config=None, log="", server=None, cameras=None)
    with pytest.raises(BundleFailed, match="No such file or directory"):
        write_bundle(directory / "no" / "x.tar.gz", contents, Settings(cameras={}), hide_hosts=False)


def test_half_a_line_is_left_out_as_it_may_be_half_a_secret() -> None:
    data = b"x" * MAX_LOG_BYTES + b"half of a secret\nwhole\n"
    assert last_lines(data[-MAX_LOG_BYTES:]) == "whole\n"
    assert last_lines(b"one\ntwo\n") == "one\ntwo\n"


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    assert last_log_lines(LoggingSettings(output="file", directory=tmp_path)).startswith("(no log file in ")


def test_archives_can_be_read_by_the_usual_tools(directory: Path) -> None:
    archive_of(directory, CONFIG)
    with tarfile.open(fileobj=io.BytesIO((directory / "support.tar.gz").read_bytes()), mode="r:gz") as archive:
        assert archive.getnames()[0] == "camgate-support/README.txt"
