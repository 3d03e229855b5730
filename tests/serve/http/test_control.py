"""Changing what camgate does, by HTTP: who may, and how what is wrong is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from camgate.auth.access import Access
from camgate.config.errors import Problem
from camgate.config.model import ServerSettings
from camgate.serve.http.control import ConfigRefused
from tests.fakes.accounts import access_for, basic
from tests.fakes.control import FakeControl
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, running_server

RELOAD = "/api/v1/reload"


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return access_for({"alice": "admin", "olga": "operator"}, tmp_path)


@pytest.fixture
async def guarded(engine: FakeEngine, web: Path, access: Access, control: FakeControl) -> AsyncIterator[Server]:
    async with running_server(engine, web, access=access, control=control) as server:
        yield server


async def test_an_admin_reloads_and_is_told_what_changed(guarded: Server, control: FakeControl) -> None:
    reply = await guarded.request("POST", RELOAD, headers=basic("alice"))
    assert reply.status == 200
    told = reply.json()
    assert (told["added"], told["changed"], told["restarted"], told["ended"]) == (
        ["front"],
        {"yard": ["url"]},
        ["yard"],
        2,
    )
    assert control.asked_by == ["alice"]


async def test_nobody_else_does(guarded: Server, control: FakeControl) -> None:
    assert (await guarded.request("POST", RELOAD, headers=basic("olga"))).status == 403
    assert (await guarded.request("POST", RELOAD)).status == 401
    assert (await guarded.request("GET", RELOAD, headers=basic("alice"))).status == 405
    assert control.asked_by == []


async def test_every_mistake_of_a_config_is_told_with_its_key(guarded: Server, control: FakeControl) -> None:
    control.refusal = ConfigRefused(
        [
            Problem("camgate.toml", "is wrong; write 1", 3, "limits.max_load"),
            Problem("camgate.toml", "is no URL: rtsp://admin:hush@192.0.2.1/; write another", 7, "cameras.front.url"),
        ]
    )
    reply = await guarded.request("POST", RELOAD, headers=basic("alice"))
    problem = reply.problem()
    assert (reply.status, problem["type"]) == (422, "urn:camgate:problem:config-refused")
    assert "limits.max_load: is wrong; write 1 (and 1 more)" in problem["detail"]
    assert [(error["key"], error["line"]) for error in problem["errors"]] == [
        ("limits.max_load", 3),
        ("cameras.front.url", 7),
    ]
    assert b"hush" not in reply.body


async def test_a_server_without_a_config_file_says_so(server: Server) -> None:
    reply = await server.request("POST", RELOAD)
    assert (reply.status, reply.problem()["type"]) == (409, "urn:camgate:problem:nothing-to-reload")


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403), ("2001:db8::1", 403)]
)
async def test_without_users_only_this_machine_changes_anything(
    engine: FakeEngine, web: Path, control: FakeControl, address: str, status: int
) -> None:
    settings = ServerSettings(trusted_proxies=("127.0.0.1",))
    async with running_server(engine, web, settings, control=control) as server:
        reply = await server.request("POST", RELOAD, headers={"X-Forwarded-For": address})
        assert reply.status == status
        assert len(control.asked_by) == (status == 200)
        if status == 403:
            assert reply.problem()["type"] == "urn:camgate:problem:changes-from-elsewhere"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/config/cameras"),
        ("PATCH", "/api/v1/config/cameras/front"),
        ("POST", "/api/v1/config/probe"),
        ("POST", "/api/v1/cameras/front/shares"),
    ],
)
async def test_what_a_form_can_send_is_no_change(guarded: Server, method: str, path: str) -> None:
    for given, status in (
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
        ("application/json; charset=utf-8", 400),
        ("application/merge-patch+json", 400),
    ):
        reply = await guarded.request(method, path, b"[]", {"Content-Type": given, **basic("alice")})
        assert reply.status == status
    assert (
        "must be application/json" in (await guarded.request(method, path, b"{}", basic("alice"))).problem()["detail"]
    )
