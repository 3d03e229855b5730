"""The commands that end by themselves: what they print and their exit codes."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import jwt
import pytest
import trio
from argon2 import PasswordHasher

from camgate import __version__
from camgate.auth.tokens import TOKEN
from camgate.config.overlay import FILE, Overlay, Saved
from tests.fakes.camera import FakeCamera
from tests.fakes.certificates import make_certificate
from tests.fakes.command import Outcome, camgate, environment

PASSWORD = "hush-hush/pass@word"

CONFIG = """
[server]
listen = "127.0.0.1:0"
[webrtc]
port = 0
[cameras.front]
url = "rtsp://127.0.0.1:9/live"
username = "viewer"
password = "hush-hush/pass@word"
title = "Front [door]"
[cameras.yard]
url = "rtsp://127.0.0.1:9/live?user=a&password=hush-query"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "camgate.toml"
    file.write_text(CONFIG)
    return file


def test_version(tmp_path: Path) -> None:
    assert camgate("--version", directory=tmp_path) == Outcome(0, f"camgate {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("bogus",), "camgate"),
        (("run", "--bogus"), "camgate run"),
        (("probe",), "camgate probe"),
        (("bench", "--size=1"), "camgate bench"),
        (("bench", "--whep=foo"), "camgate bench"),
        (("user", "hash", "--bogus"), "camgate user hash"),
        (("token", "--bogus"), "camgate token"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], command: str) -> None:
    outcome = camgate(*arguments, directory=tmp_path)
    assert outcome.code == 2
    assert outcome.err.endswith(f"\nTry '{command} --help'.\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("share", "make"), "camgate: No such command 'make'. There are create, list, revoke."),
        (("camera", "ad"), "camgate: No such command 'ad'. Did you mean 'add'?"),
        (
            ("token", "create", "--action", "watch"),
            "camgate: Invalid value for '--action': 'watch' is not one of 'view', 'playback', 'control', 'admin'.",
        ),
    ],
)
def test_wrong_usage_says_what_there_is(tmp_path: Path, arguments: tuple[str, ...], line: str) -> None:
    assert camgate(*arguments, directory=tmp_path).err.splitlines()[0] == line


def test_no_command(tmp_path: Path) -> None:
    assert camgate(directory=tmp_path).code == 2


@pytest.mark.parametrize("arguments", [(), ("probe", "rtsp://192.0.2.1/")])
def test_wrong_usage_does_not_repeat_a_login(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    outcome = camgate(*arguments, "rtsp://admin:hunter22@192.0.2.1/x", directory=tmp_path)
    assert outcome.code == 2
    assert "://***@192.0.2.1/x" in outcome.err
    assert "hunter22" not in outcome.out + outcome.err


@pytest.mark.parametrize("command", [("run", "--config"), ("check",)])
def test_a_bad_config_is_a_line_for_each_mistake(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "bad.toml").write_text("[sever]\n[cameras.front]\nurl = 'rtsp://a:hush@'\n")
    assert camgate(*command, "bad.toml", directory=tmp_path) == Outcome(
        2,
        "",
        "bad.toml:1: sever: there is no such key; did you mean server?\n"
        "bad.toml:3: cameras.front.url: is no URL of a camera: it names no host, or a port that is no number, or an "
        'IPv6 address without [brackets]; write "rtsp://HOST[:PORT]/PATH"\n',
    )


@pytest.mark.parametrize("command", ["run", "check"])
def test_no_config_at_all(tmp_path: Path, command: str) -> None:
    outcome = camgate(command, directory=tmp_path)
    assert outcome.code == 2
    assert outcome.err.startswith("camgate.toml: does not exist")
    assert outcome.err.count("\n") == 1


def test_a_port_in_use(tmp_path: Path, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(CONFIG.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        outcome = camgate("run", directory=tmp_path)
    assert outcome.code == 2
    line = outcome.err.splitlines()[-1]
    assert line.startswith("camgate.toml:3: server.listen: ")
    assert str(port) in line
    assert "Traceback" not in outcome.err


def test_a_listener_beyond_loopback(tmp_path: Path, config: Path) -> None:
    config.write_text(CONFIG.replace("127.0.0.1:0", "0.0.0.0:0"))
    outcome = camgate("run", directory=tmp_path)
    assert outcome.code == 2
    assert outcome.err.startswith("camgate.toml:3: server.listen: 0.0.0.0:0 can be reached from other machines")
    refusal, intro, hashing, running = outcome.err.splitlines()
    assert refusal.endswith("or allow it with --insecure")
    assert intro.startswith("These two lines ")
    assert hashing == "  camgate user hash admin --role admin >> camgate.toml"
    assert running == "  camgate run --config camgate.toml"
    assert camgate("check", directory=tmp_path) == Outcome(2, "", outcome.err), "it says what run would"
    allowed = camgate("check", "--insecure", directory=tmp_path)
    assert (allowed.code, "camgate.toml is in order." in allowed.out) == (0, True)
    assert allowed.err.startswith("warning: server.listen: 0.0.0.0:0 can be reached from other machines")


def test_the_lines_that_are_shown_are_enough_to_listen_beyond_loopback(tmp_path: Path, config: Path) -> None:
    config.write_text(CONFIG.replace("127.0.0.1:0", "0.0.0.0:0") + '[rtsp_server]\nlisten = "0.0.0.0:0"\n')
    (tmp_path / "recorder.password").write_text("hush-recorder")
    hashing = camgate("run", directory=tmp_path).err.splitlines()[2].replace(" >> ", " --stdin >> ")
    shell_line = f'camgate() {{ "{sys.executable}" -m camgate "$@"; }}; {hashing}'
    subprocess.run(
        ["bash", "-c", shell_line], cwd=tmp_path, env=environment(tmp_path), input="hush-admin", text=True, check=True
    )
    (tmp_path / "all.toml").write_text(config.read_text())
    lines = camgate("run", "--config", "all.toml", directory=tmp_path).err.splitlines()
    assert lines[0].startswith("all.toml:14: rtsp_server.listen: 0.0.0.0:0 can be reached from other machines")
    with (tmp_path / "all.toml").open("a") as stream:
        stream.write("\n".join(lines[2:]) + "\n")
    checked = camgate("check", "all.toml", directory=tmp_path)
    assert checked.code == 0
    assert re.fullmatch(r"warning: server\.listen: 0\.0\.0\.0:0 is plain HTTP: .*\n", checked.err)
    assert "admin (admin)" in checked.out


def test_check_warns_of_patterns_that_cover_no_camera(tmp_path: Path, config: Path) -> None:
    config.write_text(
        CONFIG
        + 'groups = ["outside"]\n[auth.roles.guard]\nview = ["front", "gate*", "group:out*", "group:inside"]\n'
        + 'control = ["Front"]\n'
    )
    checked = camgate("check", directory=tmp_path)
    assert checked.code == 0
    assert checked.err.splitlines() == [
        "warning: auth.roles.guard.view[1]: covers no camera; there are front, yard",
        "warning: auth.roles.guard.view[3]: covers no camera; there are the groups outside",
        "warning: auth.roles.guard.control[0]: covers no camera; there are front, yard",
    ]


@pytest.mark.parametrize(("listen", "words"), [("8107", "is no address and port"), ("[::]:0", "can be reached from")])
def test_a_demo_that_cannot_start(tmp_path: Path, listen: str, words: str) -> None:
    outcome = camgate("demo", "--listen", listen, directory=tmp_path)
    assert outcome.code == 2
    assert outcome.err.startswith("camgate: --listen: ")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


def camera_rows(shown: str) -> list[list[str]]:
    """The cells of the cameras that `camgate check` lists, empty ones left out."""
    below = shown[shown.index("─") :].splitlines()[1:]
    return [re.split(r"\s{2,}", line.strip()) for line in below if line.strip()]


def test_check_takes_the_file_as_the_other_commands_do(tmp_path: Path, config: Path) -> None:
    (tmp_path / "house.toml").write_text(CONFIG)
    assert camgate("check", "--config", "house.toml", directory=tmp_path).out.startswith("house.toml is in order.")
    both = camgate("check", "camgate.toml", "--config", "house.toml", directory=tmp_path)
    assert (both.code, both.err) == (2, "camgate check: name one config file\n")


def test_check_keeps_an_address_on_one_line_of_a_narrow_terminal(tmp_path: Path, config: Path) -> None:
    camera = '[cameras.front-door]\nurl = "rtsp://192.0.2.111:8554/stream1"\nusername = "viewer"\n'
    config.write_text(camera + 'title = "The front door of the house"')
    shown = camgate("check", directory=tmp_path, COLUMNS="80").out
    assert "rtsp://192.0.2.111:8554/stream1" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_check_shows_what_would_run_without_its_secrets(tmp_path: Path, config: Path) -> None:
    config.write_text(CONFIG + "on_demand = true\n")
    outcome = camgate("check", directory=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("camgate.toml is in order.\n")
    assert camera_rows(outcome.out) == [
        ["front", "rtsp://127.0.0.1:9/live", "viewer ***", "auto", "always", "Front [door]"],
        ["yard", "rtsp://127.0.0.1:9/live?user=a&password=***", "none", "auto", "on demand"],
    ]
    assert "hush" not in outcome.out


def test_check_takes_a_config_that_says_that_there_are_no_cameras_yet(tmp_path: Path, config: Path) -> None:
    config.write_text("[cameras]\n")
    outcome = camgate("check", directory=tmp_path)
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "No cameras yet.")


def test_check_shows_sub_streams_with_the_login_that_they_share(tmp_path: Path, config: Path) -> None:
    config.write_text(CONFIG + '[cameras.front.sub]\nurl = "rtsp://127.0.0.1:9/sub"\n')
    outcome = camgate("check", directory=tmp_path)
    assert camera_rows(outcome.out)[1] == ["front/sub", "rtsp://127.0.0.1:9/sub", "viewer ***", "auto", "on demand"]
    assert "hush" not in outcome.out


MISSING_TLS = '[rtsp_server]\nlisten = "127.0.0.1:0"\ntls_certificate = "missing.pem"\n'


def test_check_warns_of_what_will_not_work_here(tmp_path: Path, config: Path) -> None:
    (tmp_path / "logs").touch()
    text = CONFIG.replace(
        "port = 0",
        'port = 0\nadvertise = ["auto", "localhost", "192.0.2.1", "nosuch.invalid", "stun"]\nstun = ["stun:127.0.0.1"]',
    )
    config.write_text('[logging]\noutput = "file"\ndirectory = "logs/camgate"\n' + MISSING_TLS + text)
    outcome = camgate("check", directory=tmp_path)
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "warning: rtsp_server.tls_certificate: cannot use missing.pem: No such file or directory; "
        "name a certificate, and its key in tls_key or in the same file, without a password",
        "warning: webrtc.advertise[3]: nosuch.invalid does not resolve; viewers will not be told of it",
        f"warning: logging.directory: this user cannot write in {tmp_path}/logs/camgate: Not a directory",
    ]


def test_check_looks_into_certificates(tmp_path: Path, config: Path) -> None:
    for name, days in (("late", (-9, -2)), ("early", (2, 9)), ("good", (-1, 90))):
        make_certificate(tmp_path, name=name, days=days, address="192.0.2.7")

    def warnings(certificate: str, more: str = "") -> str:
        config.write_text(f'[server]\ntls_certificate = "{certificate}.pem"\n{more}{CONFIG.replace("[server]", "")}')
        outcome = camgate("check", directory=tmp_path)
        assert outcome.code == 0, outcome
        assert "PRIVATE KEY" not in outcome.out + outcome.err
        return outcome.err

    assert warnings("good") == ""
    assert "server.tls_certificate: expired on" in warnings("late")
    assert "server.tls_certificate: begins on" in warnings("early")
    assert "the proxy lets everybody in" in warnings("good", 'trusted_proxies = ["127.0.0.1"]\n')
    assert "not for cams.example.org" in warnings("good", 'allowed_hosts = ["cams.example.org"]\n')


def test_check_explains_contradictions(tmp_path: Path, config: Path) -> None:
    config.write_text(CONFIG + "linger_s = 60\n")
    assert camgate("check", directory=tmp_path).err.startswith("warning: cameras.yard.linger_s: has no effect, as the")
    config.write_text(CONFIG + "expected_fps = 0.1\n")
    assert camgate("check", directory=tmp_path).err == (
        "warning: cameras.yard.stall_timeout_s: is no longer than the 10 s between two frames (expected_fps); "
        "choose a longer one\n"
    )
    config.write_text(CONFIG + "[cameras.twin]\nurl = 'rtsp://127.0.0.1:9/live/'\n")
    assert camgate("check", directory=tmp_path).err == (
        "warning: cameras.twin: is the same stream as cameras.front, so that the camera is connected to twice; "
        "leave one of them out\n"
    )
    config.write_text(CONFIG + "linger_s = 60\non_demand = true\n")
    assert camgate("check", directory=tmp_path).err == ""


def shown_password(text: str) -> str:
    """What `camgate init` shows once."""
    found = re.search(r"^Sign in as admin with the password (\S+)$", text, re.MULTILINE)
    assert found, text
    return found[1]


def test_init_to_stdout(tmp_path: Path) -> None:
    outcome = camgate("init", "-", "--camera=a=rtsp://cam/", directory=tmp_path)
    assert outcome.code == 0
    written = tomllib.loads(outcome.out)
    kept = written["auth"]["users"]["admin"]
    assert written == {
        "version": 1,
        "server": {"listen": "0.0.0.0:8107"},
        "auth": {"users": {"admin": {"password_hash": kept["password_hash"], "roles": ["admin"]}}},
        "cameras": {"a": {"url": "rtsp://cam/"}},
    }
    password = shown_password(outcome.err)
    assert password not in outcome.out
    assert PasswordHasher().verify(kept["password_hash"], password)
    assert list(tmp_path.iterdir()) == []


def test_init_without_users_is_for_this_machine_only(tmp_path: Path) -> None:
    outcome = camgate("init", "-", "--no-auth", "--camera=a=rtsp://cam/", directory=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert tomllib.loads(outcome.out) == {"version": 1, "cameras": {"a": {"url": "rtsp://cam/"}}}


def test_init_shows_another_password_each_time_and_keeps_its_hash_only(tmp_path: Path) -> None:
    passwords = set()
    for _ in range(2):
        outcome = camgate("init", "--force", directory=tmp_path)
        passwords.add(shown_password(outcome.out))
    assert len(passwords) == 2
    text = (tmp_path / "camgate.toml").read_text()
    assert not any(password in text for password in passwords)


def test_init_with_two_cameras_of_one_name_writes_nothing(tmp_path: Path) -> None:
    outcome = camgate("init", "--camera=a=rtsp://cam/1", "--camera=a=rtsp://cam/2", directory=tmp_path)
    assert outcome == Outcome(2, "", "camgate.toml: cameras.a: is there twice; each camera needs a name of its own\n")
    assert list(tmp_path.iterdir()) == []


def test_init_writes_a_file_that_loads_and_only_its_owner_reads(tmp_path: Path) -> None:
    outcome = camgate("init", directory=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("wrote camgate.toml; edit it, then: camgate run --config camgate.toml\n")
    assert (tmp_path / "camgate.toml").stat().st_mode & 0o777 == 0o600
    assert camgate("check", directory=tmp_path).code == 0


def test_init_does_not_overwrite_unasked(tmp_path: Path, config: Path) -> None:
    outcome = camgate("init", directory=tmp_path)
    assert (outcome.code, outcome.err) == (
        2,
        "camgate.toml: is there already; name another file, or overwrite it with --force\n",
    )
    assert config.read_text() == CONFIG
    config.chmod(0o644)
    assert camgate("init", "--force", directory=tmp_path).code == 0
    assert config.read_text() != CONFIG
    assert config.stat().st_mode & 0o777 == 0o600


def test_init_with_cameras(tmp_path: Path) -> None:
    cameras = {"front": "rtsp://cam/a?b='\"", "yard.2": "rtsp://viewer:${PW}@cam/"}
    options = [f"--camera={name}={url}" for name, url in cameras.items()]
    assert camgate("init", "new.toml", *options, directory=tmp_path, PW="x").code == 0
    written = tomllib.loads((tmp_path / "new.toml").read_text())
    assert written["cameras"] == {name: {"url": url} for name, url in cameras.items()}


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        ("rtsp", "--camera: is not NAME=URL"),
        ("a/b=rtsp://cam/", 'cameras."a/b": is no name'),
        ("a=x", "cameras.a.url:"),
    ],
)
def test_init_with_a_bad_camera_writes_nothing(tmp_path: Path, camera: str, words: str) -> None:
    outcome = camgate("init", "--camera", camera, directory=tmp_path)
    assert outcome.code == 2
    assert words in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_init_where_nothing_can_be_written(tmp_path: Path) -> None:
    outcome = camgate("init", "no/such/folder.toml", directory=tmp_path)
    assert outcome == Outcome(
        2, "", "no/such/folder.toml: cannot be written: No such file or directory; name another file\n"
    )


HASH = r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"


def test_user_hash_prints_a_table_to_paste(tmp_path: Path, config: Path) -> None:
    outcome = camgate("user", "hash", "anna", "--stdin", directory=tmp_path, stdin=f"{PASSWORD}\n")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(rf'\[auth\.users\.anna\]\npassword_hash = "{HASH}"\nroles = \["viewer"\]\n', outcome.out)
    user = tomllib.loads(outcome.out)["auth"]["users"]["anna"]
    assert PasswordHasher().verify(user["password_hash"], PASSWORD)
    config.write_text(f"{CONFIG}{outcome.out}")
    assert camgate("check", directory=tmp_path).code == 0


def test_user_hash_without_a_name_prints_the_hash_alone(tmp_path: Path) -> None:
    outcome = camgate("user", "hash", "--stdin", directory=tmp_path, stdin=f"{PASSWORD}\r\nmore\n")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(HASH, outcome.out.strip())
    assert PasswordHasher().verify(outcome.out.strip(), PASSWORD)


def test_user_hash_quotes_names_and_takes_roles(tmp_path: Path) -> None:
    name = 'Anna "A" B\\c'
    options = ("--role=admin", "--role=gate")
    outcome = camgate("user", "hash", name, *options, "--stdin", directory=tmp_path, stdin=f"{PASSWORD}\n")
    assert (outcome.code, outcome.err) == (0, "camgate: define [auth.roles.gate] as well\n")
    assert tomllib.loads(outcome.out)["auth"]["users"][name]["roles"] == ["admin", "gate"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("anna", "hunter22"), "", "takes a NAME and nothing else; the password is asked for"),
        (("a:b", "--stdin"), "x\n", "NAME is no name for a user"),
        (("anna", '--role=a"b', "--stdin"), "x\n", "--role is no such name"),
        (("--stdin",), "\n", "an empty password is none"),
        (("--stdin",), "hunter22" * 200, "a password has 1024 characters at most"),
        ((), "", "there is no terminal to ask at; hand the password over with --stdin"),
    ],
)
def test_user_hash_refuses(tmp_path: Path, arguments: tuple[str, ...], stdin: str, words: str) -> None:
    outcome = camgate("user", "hash", *arguments, directory=tmp_path, stdin=stdin)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"camgate user hash: {words}")
    assert outcome.err.count("\n") == 1
    assert "hunter22" not in outcome.err


def test_user_hash_says_when_a_password_is_short(tmp_path: Path) -> None:
    outcome = camgate("user", "hash", "--stdin", directory=tmp_path, stdin="1234567\n")
    assert (outcome.code, outcome.err) == (0, "camgate: a password of less than 8 characters is soon guessed\n")


def test_user_hash_asks_twice_and_shows_neither(tmp_path: Path) -> None:
    shown = on_terminal(tmp_path, "user", "hash", "anna", answers=[PASSWORD, "other", PASSWORD, PASSWORD])
    assert shown.count("Password: ") == 2
    assert shown.count("These are not the same.") == 1
    assert re.search(HASH, shown)
    assert "hush" not in shown


def test_user_hash_gives_up_after_three_tries(tmp_path: Path) -> None:
    shown = on_terminal(tmp_path, "user", "hash", answers=["one", "two"] * 3)
    assert shown.count("These are not the same.") == 3
    assert "$argon2id" not in shown


async def probe(camera: FakeCamera, directory: Path, *arguments: str, stdin: str = "", **environ: str) -> Outcome:
    """Run `camgate probe` on a camera of this process; CAMERA in the arguments becomes its host and port."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def connect(client: trio.SocketStream) -> None:
            inside = trio.SocketStream(trio.socket.from_stdlib_socket(await camera.dial("", 0, 0)))
            async with client, inside, trio.open_nursery() as copies:
                copies.start_soon(_copy, client, inside, copies.cancel_scope)
                copies.start_soon(_copy, inside, client, copies.cancel_scope)

        nursery.start_soon(trio.serve_listeners, connect, listeners)
        place = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        command = ["probe", *(argument.replace("CAMERA", place) for argument in arguments)]
        outcome = await trio.to_thread.run_sync(lambda: camgate(*command, directory=directory, stdin=stdin, **environ))
        nursery.cancel_scope.cancel()
    return outcome


async def _copy(source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError):
        async for data in source:
            await sink.send_all(data)
    both.cancel()


async def test_probe_as_json(tmp_path: Path) -> None:
    outcome = await probe(FakeCamera(), tmp_path, "rtsp://CAMERA/live", "--seconds=1", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    facts = json.loads(outcome.out)
    assert facts["tracks"] == ["video H264"]
    assert (facts["transport"], facts["packets_lost"]) == ("tcp", 0)
    assert (facts["codec"], facts["profile"]) == ("H264", "Constrained Baseline")
    assert (facts["width"], facts["height"]) == (640, 360)
    assert facts["browser"].startswith("H.264 Constrained Baseline 640x360")


async def test_probe_for_people(tmp_path: Path) -> None:
    outcome = await probe(FakeCamera(), tmp_path, "rtsp://CAMERA/live", "--seconds=1")
    assert re.search(r"^tracks +video H264 *$", outcome.out, re.MULTILINE)
    assert re.search(r"^profile +Constrained Baseline *$", outcome.out, re.MULTILINE)


async def test_probe_over_tls(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    camera = FakeCamera()
    camera.tls = certificate.context
    refused = await probe(camera, tmp_path, "rtsps://CAMERA/live", "--seconds=1")
    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert f'write tls_fingerprint = "{certificate.fingerprint}"' in refused.err
    trusting = f"--tls-fingerprint={certificate.fingerprint}"
    outcome = await probe(camera, tmp_path, "rtsps://CAMERA/live", "--seconds=1", trusting)
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("way", ["file", "stdin", "environment", "url", "variable"])
async def test_probe_with_a_password(tmp_path: Path, way: str) -> None:
    (tmp_path / "pw").write_text(f"{PASSWORD}\n")
    user = ("rtsp://CAMERA/live", "--username=admin")
    arguments, stdin, environ = {
        "file": ((*user, "--password-file=pw"), "", {}),
        "stdin": ((*user, "--password-file=-"), f"{PASSWORD}\n", {}),
        "environment": (user, "", {"CAMGATE_PASSWORD": PASSWORD}),
        "url": ((f"rtsp://admin:{PASSWORD}@CAMERA/live",), "", {}),
        "variable": (("rtsp://admin:${CAM_PW}@CAMERA/live",), "", {"CAM_PW": PASSWORD}),
    }[way]
    # Pictures that need no measuring, which takes a second: what the camera offers is told to whoever may log in.
    camera = FakeCamera(username="admin", password=PASSWORD, codec="JPEG")
    outcome = await probe(camera, tmp_path, "--seconds=1", *arguments, stdin=stdin, **environ)
    assert "the camera sends Motion JPEG" in outcome.out, outcome.err
    assert camera.logins
    assert "hush" not in outcome.out + outcome.err
    assert ("can be read in the shell's history" in outcome.err) == (way in ("url", "variable"))


async def test_probe_of_a_camera_that_no_browser_shows(tmp_path: Path) -> None:
    outcome = await probe(FakeCamera(codec="JPEG"), tmp_path, "rtsp://CAMERA/live", "--seconds=1")
    assert outcome.code == 1
    assert outcome.out.startswith("browser")
    assert "nothing: " in outcome.out.splitlines()[0]


async def test_probe_asks_for_the_password_and_does_not_show_it(tmp_path: Path) -> None:
    with trio.socket.socket() as closed:
        await closed.bind(("127.0.0.1", 0))
        url = f"rtsp://127.0.0.1:{closed.getsockname()[1]}/"
        shown = await trio.to_thread.run_sync(on_terminal, tmp_path, "probe", url, "--username=admin")
    assert shown.startswith("Password: ")
    assert "measuring for 6 s…" in shown
    assert "camgate: " in shown  # nobody listens
    assert "hush" not in shown


def on_terminal(directory: Path, *arguments: str, answers: Sequence[str] = (PASSWORD,)) -> str:
    """Run a command whose user types an answer each time that a password is asked for; return what was shown."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "camgate", *arguments]
    waiting = list(answers)
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment(directory),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the other end is closed
            while data := os.read(ours, 4096):
                shown += data
                if shown.endswith((b"Password: ", b"Again: ")):
                    os.write(ours, f"{waiting.pop(0)}\n".encode())
    os.close(ours)
    return shown.decode()


async def test_probe_with_a_wrong_password(tmp_path: Path) -> None:
    camera = FakeCamera(username="admin", password="right")
    outcome = await probe(camera, tmp_path, "rtsp://CAMERA/", "--username=admin", CAMGATE_PASSWORD=PASSWORD)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("camgate: ")
    assert outcome.err.count("\n") == 1
    assert "hush" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("http://cam/",), "camgate: URL: is no URL of a camera: it does not begin with rtsp://;"),
        (
            ("rtsp://cam/", "--username=admin"),
            "camgate: --username: no password given: use --password-file or CAMGATE_PASSWORD\n",
        ),
        (("rtsp://cam/", "--tls-insecure"), "camgate: --tls-insecure: is given, and the url begins with rtsp://"),
        (("rtsps://cam/", "--transport=smoke"), "camgate: --transport: is an unknown word; write "),
        (("rtsp://cam/", "--password-file=nothing"), "camgate: --password-file: cannot read nothing: No such file"),
    ],
)
def test_probe_with_bad_arguments(tmp_path: Path, arguments: tuple[str, ...], line: str) -> None:
    outcome = camgate("probe", *arguments, directory=tmp_path)
    assert outcome.code == 2
    assert outcome.err.startswith(line)


STATEFUL = CONFIG.replace("[server]", '[server]\nstate_directory = "state"')
TOKEN_CONFIG = f"""{STATEFUL}
[auth.users.anna]
password_hash = "$argon2id$v=19$m=32768,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$yv58kPBCs77LslnPh5LqqZtWUk8wzr2/BVZEFQX5Pdk"
roles = ["viewer"]
"""


def test_token_prints_a_token_alone_and_tells_beside_it_what_it_allows(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    outcome = camgate("token", "--camera=front*", "--action=view", "--action=control", directory=tmp_path)
    assert outcome.code == 0
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", outcome.out)
    assert outcome.err.startswith("camgate: allows view front*, control front*; until ")
    key = (tmp_path / "state" / "auth.key").read_bytes()
    claims = jwt.decode(outcome.out.strip(), key, ["HS256"], audience=TOKEN)
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["grants"] == {"view": ["front*"], "control": ["front*"]}
    assert f"token revoke {claims['jti']}\n" in outcome.err
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "auth.key").stat().st_mode & 0o777 == 0o600


def test_token_of_a_user_alone_is_all_that_the_user_may(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    outcome = camgate("token", "--user=anna", "--expires=7d", directory=tmp_path)
    assert outcome.err.startswith("camgate: allows all that anna may; until ")
    claims = jwt.decode(outcome.out.strip(), options={"verify_signature": False})
    assert (claims["user"], claims["exp"] - claims["iat"], "grants" in claims) == ("anna", 7 * 86_400, False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name cameras"),
        (("--user=anna", "--action=view"), "name cameras"),
        (("--camera=front", "--expires=soon"), "--expires is no span of time"),
        (("--camera=a/b",), "--camera is no pattern of cameras"),
        (("--camera=front", "--user=bob"), "auth.users.bob: there is no such user"),
        (("revoke", "a.b.c"), "that is no id of a token"),
        (("revoke", "0123456789abcde"), "that is no id of a token"),
        (("revoke", "front"), "that is no id of a token"),
    ],
)
def test_token_says_what_is_wrong(tmp_path: Path, config: Path, arguments: tuple[str, ...], words: str) -> None:
    config.write_text(TOKEN_CONFIG)
    outcome = camgate("token", *arguments, directory=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1
    assert "a.b.c" not in outcome.err


def test_token_warns_of_what_it_does_not_allow(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG.replace('["viewer"]', '["gate"]') + '[auth.roles.gate]\nview = ["yard"]\n')
    arguments = ("--camera=fornt", "--camera=group:out", "--camera=front", "--camera=*", "--user=anna")
    outcome = camgate("token", *arguments, directory=tmp_path)
    assert outcome.code == 0
    assert outcome.err.splitlines()[1:] == [
        "warning: fornt covers no camera; there are front, yard",
        "warning: group:out covers no camera; no camera has groups",
        "warning: anna may not view front, so the token does not allow it either",
    ]


def test_the_words_to_revoke_a_token_name_the_config_that_it_was_made_with(tmp_path: Path, config: Path) -> None:
    config.write_text(STATEFUL)
    (tmp_path / "other house.toml").write_text(TOKEN_CONFIG.replace('"state"', '"elsewhere"'))
    made = camgate("token", "--camera=front", "--config=other house.toml", directory=tmp_path)
    program, *arguments = shlex.split(made.err.split("ends sooner by: ")[1])
    assert program == "camgate"
    revoked = camgate(*arguments, directory=tmp_path)
    token_id = jwt.decode(made.out.strip(), options={"verify_signature": False})["jti"]
    assert (revoked.code, revoked.err) == (0, f"camgate: revoked {token_id}\n")
    assert json.loads((tmp_path / "elsewhere" / "revoked.json").read_text()).keys() == {token_id}


def test_token_without_users_is_not_needed(tmp_path: Path, config: Path) -> None:
    outcome = camgate("token", "--camera=front", directory=tmp_path)
    assert outcome.code == 2
    assert "nobody needs a token" in outcome.err
    assert not (tmp_path / "state").exists()


def test_token_with_a_key_that_is_none(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "auth.key").write_bytes(b"short")
    outcome = camgate("token", "--camera=front", directory=tmp_path)
    assert outcome.code == 2
    assert "it has 5 bytes instead of 32" in outcome.err


def test_a_token_is_revoked_by_its_id_or_by_itself(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    text = camgate("token", "--camera=front", directory=tmp_path).out
    assert camgate("token", "revoke", "-", directory=tmp_path, stdin=text).code == 0
    assert camgate("token", "revoke", "0123456789abcdef", directory=tmp_path).code == 0
    token_id = jwt.decode(text.strip(), options={"verify_signature": False})["jti"]
    claims = jwt.decode(text.strip(), options={"verify_signature": False})
    kept = json.loads((tmp_path / "state" / "revoked.json").read_text())
    assert kept.keys() == {token_id, "0123456789abcdef"}
    assert abs(kept[token_id] - claims["exp"]) <= 1, "forgotten when it would have been over"


def test_tokens_are_listed_and_none_of_them_is_shown(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    first = camgate("token", "--camera=front*", "--action=control", directory=tmp_path).out.strip()
    second = camgate("token", "--user=anna", "--expires=7d", directory=tmp_path).out.strip()
    assert camgate("token", "revoke", "-", directory=tmp_path, stdin=second).code == 0
    listed = camgate("token", "list", "--json", directory=tmp_path)
    assert listed.code == 0
    found = json.loads(listed.out)
    assert [(each["user"], each["grants"], each["revoked"]) for each in found] == [
        (None, {"control": ["front*"]}, False),
        ("anna", None, True),
    ]
    assert round(found[1]["until"] - found[1]["made_at"]) == 7 * 86_400
    table = camgate("token", "list", directory=tmp_path).out.splitlines()
    assert table[0].split() == ["id", "user", "allows", "until"]
    assert (found[0]["id"] in table[1], "control front*" in table[1]) == (True, True)
    assert table[2].split() == [found[1]["id"], "anna", "all", "that", "anna", "may", "revoked"]
    assert camgate("token", "--user=anna", "--camera=yard", directory=tmp_path).code == 0
    config.write_text(TOKEN_CONFIG.replace("users.anna", "users.ben"))
    left = camgate("token", "list", directory=tmp_path).out.splitlines()
    assert ["ended with its user" in row for row in left[1:]] == [False, False, True]
    kept = (tmp_path / "state" / "issued.json").read_text()
    for text in (first, second):
        assert text not in kept + listed.out + "".join(table)


def test_no_token_is_made_that_cannot_be_listed(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "issued.json").write_text("no list")
    for command in (("--camera=front",), ("list",)):
        outcome = camgate("token", *command, directory=tmp_path)
        assert (outcome.code, outcome.out) == (1, "")
        assert "it is no such list" in outcome.err
        assert outcome.err.count("\n") == 1
    assert camgate("token", "revoke", "0123456789abcdef", directory=tmp_path).code == 0, "that needs no list"


def test_a_share_is_made_listed_and_taken_back(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    made = camgate("share", "create", "front", "--for=2h", "--label=the postman", directory=tmp_path)
    assert (made.code, made.out.count("\n")) == (0, 1)
    assert re.fullmatch(r"http://127\.0\.0\.1:0/share#[\w-]{32}\n", made.out)
    secret = made.out.strip().partition("#")[2]
    listed = camgate("share", "list", "--json", directory=tmp_path).out
    (link,) = json.loads(listed)
    assert (link["camera"], link["label"], link["made_by"]) == ("front", "the postman", "the command line")
    assert round(link["until"] - link["made_at"]) == 7200
    assert f"camgate share revoke {link['id']}\n" in made.err
    table = camgate("share", "list", directory=tmp_path).out
    assert "the postman" in table.splitlines()[1]
    assert secret not in listed + table + (tmp_path / "state" / "shares.json").read_text()
    assert camgate("share", "revoke", link["id"], directory=tmp_path).code == 0
    assert json.loads(camgate("share", "list", "--json", directory=tmp_path).out) == []
    # One in 64 begins with a dash, and would be taken for an option.
    again = camgate("share", "revoke", "--", secret, directory=tmp_path)
    assert (again.code, "no such link" in again.err, secret in again.err) == (1, True, False)


def test_cameras_that_were_added_by_the_api_are_known_to_shares_and_tokens(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    Overlay(tmp_path / "state" / FILE).save(Saved({"gate": {"url": "rtsp://192.0.2.12/"}}))
    assert camgate("share", "create", "gate", directory=tmp_path).code == 0
    made = camgate("token", "--camera=gate", directory=tmp_path)
    assert (made.code, "warning" in made.err) == (0, False)


def test_a_share_names_the_address_that_is_given(tmp_path: Path, config: Path) -> None:
    config.write_text(TOKEN_CONFIG)
    made = camgate("share", "create", "yard", "--url=https://cams.example.org/door/", directory=tmp_path)
    assert made.out.startswith("https://cams.example.org/door/share#")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "attic"), "cameras.attic: there is no such camera"),
        (("create", "front", "--for=5s"), "--for is no span of time"),
        (("create", "front", "--for=91d"), "--for is no span of time"),
        (("create", "front", "--label=a\nb"), "--label has up to 100 characters"),
        (("create", "front", "--url=cams"), "--url is no address of pages"),
    ],
)
def test_share_says_what_is_wrong(tmp_path: Path, config: Path, arguments: tuple[str, ...], words: str) -> None:
    config.write_text(TOKEN_CONFIG)
    outcome = camgate("share", *arguments, directory=tmp_path)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert words in outcome.err


def test_share_without_users_is_not_needed(tmp_path: Path, config: Path) -> None:
    outcome = camgate("share", "create", "front", directory=tmp_path)
    assert (outcome.code, "needs no link" in outcome.err) == (2, True)
