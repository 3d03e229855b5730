"""What is wrong with `[auth]`, in words with the key's path and line."""

from pathlib import Path

import pytest

from camgate.config.errors import ConfigError
from camgate.config.load import parse
from camgate.config.model import AuthSettings, RoleSettings

CAMERA = '[cameras.front]\nurl = "rtsp://x/"\n'
HASH = "$argon2id$v=19$m=32768,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$yv58kPBCs77LslnPh5LqqZtWUk8wzr2/BVZEFQX5Pdk"
ANNA = "[auth.users.anna]\n"
KEPT = f'password_hash = "{HASH}"\n'
VIEWER = 'roles = ["viewer"]\n'
MAKE_ONE = "is no argon2id hash; copy it whole, or have `camgate user hash` make one"


def read(text: str, directory: Path = Path("/")) -> AuthSettings:
    return parse(CAMERA + text, {}, file="c.toml", directory=directory).auth


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (ANNA + VIEWER, "c.toml:3: auth.users.anna: has no password_hash; `camgate user hash` makes one"),
        (ANNA + KEPT, 'c.toml:3: auth.users.anna: has no roles; write roles = ["viewer"], or others of admin, viewer'),
        (ANNA + KEPT + "roles = []\n", "c.toml:5: auth.users.anna.roles: is an empty list; "),
        (
            ANNA + KEPT + 'roles = ["admin", "viewr"]\n',
            "c.toml:5: auth.users.anna.roles[1]: is no role; did you mean viewer?",
        ),
        (
            ANNA + KEPT + 'roles = ["operator"]\n',
            "c.toml:5: auth.users.anna.roles[0]: is no role; there are admin, viewer; others are [auth.roles.NAME]",
        ),
        (ANNA + 'password_hash = "hush"\n' + VIEWER, f"c.toml:4: auth.users.anna.password_hash: {MAKE_ONE}"),
        (ANNA + 'password_hash = "$2b$12$hush"\n' + VIEWER, f"c.toml:4: auth.users.anna.password_hash: {MAKE_ONE}"),
        (
            ANNA + KEPT.replace("argon2id", "argon2i") + VIEWER,
            f"c.toml:4: auth.users.anna.password_hash: {MAKE_ONE}",
        ),
        (
            ANNA + KEPT.replace("m=32768", "m=9999999") + VIEWER,
            "c.toml:4: auth.users.anna.password_hash: costs more than ",
        ),
        (
            ANNA + 'password = "hush"\n' + KEPT + VIEWER,
            "c.toml:4: auth.users.anna.password: there is no such key; did you mean password_hash?",
        ),
        (
            ANNA + KEPT + 'password_hash_file = "x"\n' + VIEWER,
            "c.toml:5: auth.users.anna.password_hash_file: is given, and password_hash too; write one of them",
        ),
        ("[auth]\nusers = 3\n", "c.toml:4: auth.users: is a whole number; write a table: "),
        (
            '[auth.users."a:b"]\n' + KEPT + VIEWER,
            'c.toml:3: auth.users."a:b": is no name for a user; ',
        ),
        ('[auth.roles.admin]\nview = ["*"]\n', "c.toml:3: auth.roles.admin: is a role that camgate has already; "),
        ("[auth.roles.gate]\n", 'c.toml:3: auth.roles.gate: allows nothing; write view = ["*"], or '),
        ('[auth.roles.gate]\nveiw = ["*"]\n', "c.toml:4: auth.roles.gate.veiw: there is no such key; did you mean "),
        ('[auth.roles.gate]\nview = "*"\n', "c.toml:4: auth.roles.gate.view: is text in quotes; write a list, such "),
        ('[auth.roles.gate]\nview = ["*", "a/b"]\n', "c.toml:4: auth.roles.gate.view[1]: is no pattern of cameras; "),
        ('[auth.roles.gate]\nview = ["group:"]\n', "c.toml:4: auth.roles.gate.view[0]: is no pattern of cameras; "),
    ],
)
def test_mistakes(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (said,) = str(caught.value).splitlines()
    assert said.startswith(line)
    assert "hush" not in said
    assert "argon2id$" not in said


def test_users_with_roles_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "ben.hash").write_text(f"{HASH}\n")
    text = f"""
{ANNA}{KEPT}{VIEWER}
[auth.users.ben]
password_hash_file = "ben.hash"
roles = ["gate", "viewer"]
[auth.roles.gate]
view = ["front*", "group:out-?"]
control = ["front"]
"""
    settings = read(text, tmp_path)
    assert settings.is_on
    assert {name: user.roles for name, user in settings.users.items()} == {
        "anna": ("viewer",),
        "ben": ("gate", "viewer"),
    }
    assert settings.users["ben"].password_hash == settings.users["anna"].password_hash == HASH
    assert settings.roles["gate"] == RoleSettings(view=("front*", "group:out-?"), control=("front",))
    assert settings.roles.keys() == {"admin", "viewer", "gate"}
    assert HASH not in repr(settings)


def test_without_users_nobody_is_asked() -> None:
    assert not read("").is_on
    assert not read("[auth]\nsession_days = 3\n").is_on
