"""`camgate run` in a process of its own: it starts, serves, and stops as it is told."""

import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
import trio

from camgate.cli.serve import _announce
from camgate.config.password_hash import hash_password
from tests.fakes.command import running_camgate

CONFIG = """
[server]
listen = "127.0.0.1:0"
shutdown_deadline_s = 3
[webrtc]
port = 0
[logging]
output = "both"
[cameras.front]
url = "rtsp://viewer:hush-hush@127.0.0.1:9/live"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "camgate.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def few_files() -> Iterator[int]:
    """Allow what we start as few open files as a shell does; the value is how many it may allow itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_it_in_order(directory: Path, number: signal.Signals, few_files: int) -> None:
    async with running_camgate("run", directory=directory) as command:
        ready = await command.wait_line(" ready ")
        # Viewers are not limited by what a shell allows.
        assert resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE) == (few_files, few_files)
        started = await command.wait_line("camgate has started")
        assert f"config={directory}/camgate.toml log=both log_level=info" in started
        url = ready.partition("url=")[2].split()[0]
        healthy = await trio.to_thread.run_sync(lambda: urlopen(f"{url}healthz", timeout=20).status)
        assert healthy == 200
        sent = time.monotonic()
        command.process.send_signal(number)
        assert await command.wait_end() == 0
        print(f"stopped {time.monotonic() - sent:.2f} s after {number.name}")
        assert command.lines[-1].endswith("camgate has stopped")
        assert "Traceback" not in "\n".join(command.lines)
    (log_file,) = (directory / "logs").iterdir()
    written = log_file.read_text().splitlines()
    assert f"logging to files path={log_file}" in written[0]
    assert written == command.lines
    assert "hush-hush" not in "\n".join(written)


ACCESS = f"""
groups = ["outside"]
[cameras.yard]
url = "rtsp://127.0.0.1:9/yard"
[auth.roles.gate]
view = ["group:outside"]
[auth.users.anna]
password_hash = "{hash_password("hush-anna")}"
roles = ["admin"]
[auth.users.ben]
password_hash = "{hash_password("hush-ben")}"
roles = ["gate"]
"""


async def test_with_users_it_asks_who_one_is(directory: Path) -> None:
    config = CONFIG.replace("[server]", f'[server]\nstate_directory = "{directory}/state"') + ACCESS
    (directory / "camgate.toml").write_text(config)
    async with running_camgate("run", directory=directory) as command:
        url = (await command.wait_line(" ready ")).partition("url=")[2].split()[0]
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:

            async def get(target: str, login: tuple[str, str] | None = None, accept: str = "*/*") -> httpx.Response:
                return await client.get(target, auth=login, headers={"Accept": accept})

            assert (await get("/healthz")).status_code == 200
            assert (await get("/api/v1/cameras")).status_code == 401
            assert (await get("/api/v1/cameras", ("anna", "hush-ben"))).status_code == 401
            page = await get("/camera/front", accept="text/html")
            assert (page.status_code, page.headers["location"]) == (303, "/signin?next=%2Fcamera%2Ffront")
            anna, ben = ("anna", "hush-anna"), ("ben", "hush-ben")
            assert [camera["name"] for camera in (await get("/api/v1/cameras", anna)).json()] == ["front", "yard"]
            assert [camera["name"] for camera in (await get("/api/v1/cameras", ben)).json()] == ["front"]
            assert [(await get("/api/v1/server", who)).status_code for who in (anna, ben)] == [200, 403]
            headers = {"Content-Type": "application/sdp"}
            offers = [
                (await client.post(f"/whep/{camera}", content="v=0\r\n", headers=headers, auth=ben)).status_code
                for camera in ("front", "yard")
            ]
            assert offers == [400, 404]
        command.process.send_signal(signal.SIGTERM)
        assert await command.wait_end() == 0
    assert (directory / "state" / "auth.key").stat().st_mode & 0o777 == 0o600
    told = "\n".join(command.lines)
    assert not [word for word in ("hush-", "argon2id", "Traceback") if word in told]


async def test_the_demo_needs_no_config(tmp_path: Path) -> None:
    async with running_camgate("demo", "--listen=127.0.0.1:0", "--webrtc-port=0", directory=tmp_path) as command:
        ready = await command.wait_line(" ready ")
        assert "cameras=2" in ready
        await command.wait_line("camera live")
        url = ready.partition("url=")[2].split()[0]
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as api:
            configured = (await api.get("/api/v1/config/cameras")).json()
        assert [each["origin"] for each in configured] == ["built-in", "built-in"]
        command.process.send_signal(signal.SIGINT)
        assert await command.wait_end() == 0


async def test_a_second_signal_ends_it_at_once(directory: Path) -> None:
    """Even while the event loop is stuck, which is what one sends a second signal for."""
    (directory / "stuck.py").write_text(
        "import time, trio, functools\n"
        "from camgate.cli.serve import serve, log\n"
        "from camgate.base.log_setup import setup_logging\n"
        "from camgate.config.model import LoggingSettings\n"
        "async def stuck(task_status):\n"
        "    task_status.started('http://x/')\n"
        "    log.info('up')\n"
        "    try:\n"
        "        await trio.sleep_forever()\n"
        "    finally:\n"
        "        log.info('stuck')\n"
        "        time.sleep(60)\n"
        "with setup_logging(LoggingSettings()):\n"
        "    serve(stuck)\n"
    )
    async with running_camgate(directory=directory, program=("stuck.py",)) as command:
        await command.wait_line(" up")
        command.process.send_signal(signal.SIGTERM)
        await command.wait_line(" stuck")
        command.process.send_signal(signal.SIGINT)
        assert await command.wait_end() == -signal.SIGINT


def test_in_a_terminal_it_shows_any_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _announce("http://[::1]:8107/")
    assert "http://[::1]:8107/" in capsys.readouterr().out
