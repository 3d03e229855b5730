"""The API's description against a running camgate, by a tool that makes requests of it: schemathesis."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from camgate.serve.http.openapi import openapi_document
from tests.browser.processes import CamgateProcess
from tests.fakes.accounts import CHEAP

pytestmark = pytest.mark.interop

CONFIG = Path(__file__).parents[1] / "fixtures" / "schemathesis.toml"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
LOGIN = ("alice", "hush-hush-77")
USERS = f'[auth.users.alice]\npassword_hash = "{CHEAP.hash(LOGIN[1])}"\nroles = ["admin"]\n'
NOT_ASKED = re.compile("^/(ws|whep|signin|share$|api/v1/openapi.json)")
"""WebSocket and SDP, which it cannot make (tests/fuzz can), what is slowed down when it is guessed at, and itself."""
PATHS = openapi_document()["paths"]
METHODS = {"get", "post", "patch", "put", "delete", "options"}
HANG_S = 300.0


def test_every_answer_is_as_described_and_no_request_is_too_much(tmp_path: Path) -> None:
    cameras = {"front": {"url": "rtsp://127.0.0.1:9/live"}}
    server = CamgateProcess(tmp_path, cameras, more=USERS, login=LOGIN)
    server.start()
    try:
        run = subprocess.run(
            [
                *(SCHEMATHESIS, "--config-file", CONFIG, "run", f"{server.url}/api/v1/openapi.json"),
                *("--auth", ":".join(LOGIN), "--exclude-path-regex", NOT_ASKED.pattern),
                *("--max-examples=5", "--seed=1", "--request-timeout=60", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
    finally:
        server.kill()
    assert run.returncode == 0, run.stdout + run.stderr
    tested = re.search(r"Tested: +(\d+)", run.stdout)
    assert tested is not None, run.stdout
    assert int(tested[1]) == sum(
        len(METHODS & item.keys()) for path, item in PATHS.items() if not NOT_ASKED.match(path)
    )
