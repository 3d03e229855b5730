"""A server around a fake engine, with a handful of pages."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, running_server


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def web(tmp_path: Path) -> Path:
    directory = tmp_path / "web"
    directory.mkdir()
    for name in ("index", "camera", "embed"):
        (directory / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    (directory / "app.js").write_text("export {};")
    (directory / "secret.key").write_text("not to be served")
    (tmp_path / "outside.html").write_text("not to be served")
    return directory


@pytest.fixture
async def server(engine: FakeEngine, web: Path) -> AsyncIterator[Server]:
    async with running_server(engine, web) as running:
        yield running
