"""Who may read the metrics, and where."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from camgate.auth.access import Access
from camgate.serve.http.metrics import ForMachines
from camgate.serve.listeners import addresses, open_listeners
from tests.fakes.accounts import access_for, basic
from tests.fakes.engine import FakeEngine
from tests.fakes.http import LOOPBACK, Server, running_server

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class OneFigure:
    """Metrics of which there is one."""

    async def page(self, accept: str) -> tuple[bytes, str]:
        return b"camgate_camera_up 1\n", TEXT


@asynccontextmanager
async def serving(
    engine: FakeEngine, web: Path, access: Access | None = None, *, is_open: bool = False
) -> AsyncIterator[tuple[Server, Server]]:
    """The server of all pages, and that for machines."""
    listeners = await open_listeners(f"{LOOPBACK}:0")
    machines = ForMachines(OneFigure(), listeners, is_open=is_open)
    async with running_server(engine, web, access=access, machines=machines) as server:
        yield server, Server(addresses(listeners)[0][1], server.stopping)


async def test_both_listeners_show_them(engine: FakeEngine, web: Path) -> None:
    async with serving(engine, web) as servers:
        for server in servers:
            reply = await server.request("GET", "/metrics")
            assert (reply.status, reply.body) == (200, b"camgate_camera_up 1\n")
            assert reply.headers["content-type"] == TEXT
            assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("target", ["/", "/ws", "/api/v1/cameras", "/whep/front", "/metrics/", "//metrics", "/METRICS"])
async def test_the_listener_for_machines_serves_nothing_else(engine: FakeEngine, web: Path, target: str) -> None:
    async with serving(engine, web, is_open=True) as (_, machines):
        for method in ("GET", "POST"):
            reply = await machines.request(method, target)
            assert reply.status == 404
            assert "/metrics, /healthz and /readyz only" in reply.problem()["detail"]
        assert (await machines.request("GET", "/healthz")).json() == {"status": "alive"}


async def test_they_are_for_those_who_control_everything(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    access = access_for({"anna": "admin", "otto": "operator", "ben": "viewer", "mia": "keeper"}, tmp_path)
    async with serving(engine, web, access) as servers:
        for server in servers:
            assert (await server.request("GET", "/metrics")).status == 401
            for name, status in {"ben": 403, "mia": 403, "otto": 200, "anna": 200}.items():
                assert (await server.request("GET", "/metrics", headers=basic(name))).status == status


async def test_an_open_listener_opens_nothing_else(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    access = access_for({"anna": "admin"}, tmp_path)
    async with serving(engine, web, access, is_open=True) as (server, machines):
        assert (await machines.request("GET", "/metrics")).status == 200
        assert (await server.request("GET", "/metrics")).status == 401
        assert (await machines.request("GET", "/healthz?verbose")).status == 401


async def test_names_pointed_at_loopback_are_refused_there_too(engine: FakeEngine, web: Path) -> None:
    async with serving(engine, web, is_open=True) as (_, machines):
        assert (await machines.request("GET", "/metrics", headers={"Host": "evil.example"})).status == 421
