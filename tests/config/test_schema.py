"""Model, schema and the reference config hold the same keys and the same defaults."""

import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from camgate.config.load import load, parse
from camgate.config.model import (
    CallbackSettings,
    CameraSettings,
    IssuerSettings,
    RoleSettings,
    Settings,
    TurnSettings,
    WebhookSettings,
)
from camgate.config.schema import (
    ACCOUNT_KEYS,
    CALLBACK_KEYS,
    CAMERA_KEYS,
    CAMERAS,
    ISSUER_KEYS,
    ROLE_KEYS,
    SECTIONS,
    SUB,
    SUB_KEYS,
    TURN_KEYS,
    USER_KEYS,
    WEBHOOK_KEYS,
    WEBHOOKS,
)
from camgate.config.version import FIRST, VERSION
from camgate.config.version import KEY as VERSION_KEY
from camgate.wire.rtsp.server_login import hash_password

REFERENCE = Path(__file__).parents[2] / "etc" / "camgate.toml"

KEY = re.compile(r"(?:# )?(?P<key>[a-z_0-9]+) = (?P<value>.+)")
HEADER = re.compile(
    r"(?:# )?\[(?P<section>[a-z_]+(?:\.users|\.roles|\.issuers|\.turn|\.callback)?)(?:\.\w+)?(?P<sub>\.sub)?\]"
)
USERS = "rtsp_server.users"
ACCOUNTS, ROLES, ISSUERS, CALLBACK = "auth.users", "auth.roles", "auth.issuers", "auth.callback"
TURN = "webrtc.turn"
TABLES = ("users", "roles", "issuers", "callback", "turn")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One key of the reference, commented out or not, and the comment above it."""

    section: str
    key: str
    value: str
    comment: str

    @property
    def default(self) -> Any:
        """The default that the comment names; None for "none"."""
        match = re.search(r"Default: (.+)\.$", self.comment)
        assert match, f"{self.section}.{self.key}: its comment names no default"
        return None if match[1].startswith("none") else tomllib.loads(f"x = {match[1]}")["x"]


def entries() -> Iterator[Entry]:
    section, comment = "", ""
    for line in REFERENCE.read_text().splitlines():
        if header := HEADER.fullmatch(line):
            section = header["section"] + (header["sub"] or "")
        elif entry := KEY.fullmatch(line):
            yield Entry(section, entry["key"], entry["value"], comment)
        comment = f"{comment}{line.removeprefix('#')}\n".strip() if line.startswith("# ") else ""


def toml_of(value: object) -> object:
    """Return a value of the model as TOML would give it."""
    match value:
        case tuple():
            return list(value)
        case Path():
            return str(value)
        case _:
            return getattr(value, "value", value)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_schema_knows_each_field_of_its_section(name: str) -> None:
    section = SECTIONS[name]
    assert section.keys.keys() == {field.name for field in dataclasses.fields(section.settings)}


def test_the_schema_knows_each_field_of_a_camera() -> None:
    fields = {field.name for field in dataclasses.fields(CameraSettings)}
    assert CAMERA_KEYS.keys() == fields - {"name"} | {"password_file"}


def test_the_schema_knows_each_section() -> None:
    assert {field.name for field in dataclasses.fields(Settings)} == SECTIONS.keys() | {CAMERAS, WEBHOOKS}


def test_each_default_passes_its_own_check() -> None:
    for section in SECTIONS.values():
        for key, check in section.keys.items():
            if key in (*TABLES, "state_directory"):
                continue  # tables, and what depends on the system
            default = getattr(section.settings(), key)
            assert check(toml_of(default)) == default


def test_the_reference_loads_and_holds_the_defaults() -> None:
    settings = load(REFERENCE, {})
    assert dataclasses.replace(settings, cameras={}) == Settings(cameras={})
    front = settings.cameras["front"]
    assert front == CameraSettings(name="front", url=front.url)


def test_the_reference_names_every_key_once() -> None:
    named = [(entry.section, entry.key) for entry in entries() if entry.value != '"rtsps://192.0.2.11/live"']
    expected = [(name, key) for name, section in SECTIONS.items() for key in section.keys if key not in TABLES]
    expected += [(CAMERAS, key) for key in CAMERA_KEYS if key != SUB]
    expected += [(f"{CAMERAS}.{SUB}", key) for key in SUB_KEYS]
    expected += [(USERS, key) for key in USER_KEYS]
    expected += [(ACCOUNTS, key) for key in ACCOUNT_KEYS]
    expected += [(ROLES, key) for key in ROLE_KEYS]
    expected += [(ISSUERS, key) for key in ISSUER_KEYS]
    expected += [(CALLBACK, key) for key in CALLBACK_KEYS]
    expected += [(TURN, key) for key in TURN_KEYS]
    expected += [("", VERSION_KEY)]
    expected += [(WEBHOOKS, key) for key in WEBHOOK_KEYS]
    assert sorted(named) == sorted(expected)


def test_the_reference_states_the_defaults_of_the_model() -> None:
    model = {name: section.settings() for name, section in SECTIONS.items()}
    model[CAMERAS] = CameraSettings(name="x", url="rtsp://x/")
    model[USERS] = model[ACCOUNTS] = None
    model[ROLES] = RoleSettings()
    model[ISSUERS] = IssuerSettings(name="x", issuer="x", audience=())
    model[CALLBACK] = CallbackSettings(url="")
    model[TURN] = TurnSettings(urls=())
    model[WEBHOOKS] = WebhookSettings(url="", secret=None)
    for entry in entries():
        if entry.key == VERSION_KEY:
            assert (entry.default, entry.value) == (FIRST, str(VERSION))
        elif entry.key not in ("url", "urls", "issuer", "audience") and entry.section != f"{CAMERAS}.{SUB}":
            default = getattr(model[entry.section], entry.key, None)
            assert entry.default == toml_of(default), f"{entry.section}.{entry.key}"


@pytest.mark.parametrize("user_key", USER_KEYS)
@pytest.mark.parametrize("camera_key", ["password", "password_file"])
def test_the_reference_loads_with_every_key_switched_on(tmp_path: Path, camera_key: str, user_key: str) -> None:
    (tmp_path / "front.password").write_text("hush")
    (tmp_path / "recorder.password").write_text("hush")
    text = re.sub(r"^# (?=[a-z_0-9]+ = |\[)", "", REFERENCE.read_text(), flags=re.MULTILINE)
    before, users, rest = re.split(r"(?<=\n)(?=\[rtsp_server.users.recorder]|\[auth])", text)
    users = keep_one(users, user_key, list(USER_KEYS))
    before = before.replace(turn_block(before), keep_one(turn_block(before), "secret", TURN_LOGIN))
    other = {"password": 'password_file = "front.password"', "password_file": 'password = "${FRONT_PASSWORD}"'}
    rest = rest.replace(other[camera_key], "").replace('password_hash_file = "anna.hash"', "")
    rest = rest.replace('jwks_file = "company.jwks.json"', "").replace('secret_file = "webhook.secret"', "")
    environ = {"FRONT_PASSWORD": "hush", "RECORDER_PASSWORD": "hush", "TURN_SECRET": "hush"}
    environ["WEBHOOK_SECRET"] = f"whsec_{'hush' * 8}"
    settings = parse(before + users + rest, environ, file="x", directory=tmp_path)
    assert settings.cameras["front"].password == "hush"
    assert settings.webrtc.turn["coturn"].secret == "hush"
    assert settings.cameras["front"].title == "Front door"
    assert settings.cameras["yard"].sub is not None
    assert settings.cameras["yard"].sub.password == "hush"
    kept = settings.rtsp_server.users["recorder"]
    assert settings.auth.users["anna"].roles == ("viewer",)
    assert settings.auth.roles["gate"].view == ("front*", "group:outside")
    assert settings.auth.issuers["company"].roles == {"camera-admins": "admin", "staff": "viewer"}
    assert settings.auth.callback is not None
    assert settings.webhooks["house"].events == ("camera.down", "camera.stalled")
    assert kept.keys() == {"SHA-256", "MD5"}
    assert kept == hash_password("recorder", "hush") or user_key == "ha1"


TURN_LOGIN = ["secret", "secret_file", "username", "password", "password_file"]


def turn_block(text: str) -> str:
    """Return the table of the TURN server, to the end of its section."""
    return re.split(r"(?<=\n)(?=\[webrtc\.turn)|(?<=\n)(?=# -{9})", text)[-2]


def keep_one(text: str, key: str, keys: list[str]) -> str:
    """Take out all of these keys but one."""
    for other in keys:
        if other != key:
            text = re.sub(rf"^{other} = .*\n", "", text, flags=re.MULTILINE)
    return text
