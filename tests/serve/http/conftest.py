"""A server around a fake engine, with a handful of pages."""

import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from camgate.serve.http.pages import web_directory
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, running_server


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def web(tmp_path: Path) -> Path:
    directory = tmp_path / "web"
    directory.mkdir()
    for name in ("index", "camera", "embed", "admin"):
        (directory / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    shutil.copy(web_directory() / "missing.html", directory)
    (directory / "app.js").write_text("export {};")
    (directory / "secret.key").write_text("not to be served")
    (tmp_path / "outside.html").write_text("not to be served")
    return directory


@pytest.fixture
def patient_clock() -> MockClock:
    """Virtual time that gives real sockets a moment before it jumps."""
    return MockClock(autojump_threshold=0.05)


@pytest.fixture
async def server(engine: FakeEngine, web: Path) -> AsyncIterator[Server]:
    async with running_server(engine, web) as running:
        yield running


@pytest.fixture(autouse=True)
def no_bugs(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    """No client makes the server log an error; tests of bugs have `bug` in their name."""
    yield
    if "bug" not in request.node.name:
        assert [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []
