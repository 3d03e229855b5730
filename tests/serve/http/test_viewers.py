"""Who watches: whom operators are told of, and whom they may send away."""

from pathlib import Path

import pytest

from camgate.serve.http.openapi import openapi_document
from camgate.serve.http.whep import SDP
from tests.fakes.accounts import access_for, basic
from tests.fakes.engine import FakeEngine, viewer_facts
from tests.fakes.http import Reply, Server, running_server

OFFER = b"v=0\r\n"


async def watch(server: Server, camera: str, **headers: str) -> str:
    reply = await server.request("POST", f"/whep/{camera}", OFFER, {"Content-Type": SDP, **headers})
    assert reply.status == 201
    return reply.headers["location"].rpartition("/")[2]


async def test_viewers_are_listed_as_the_schema_says(server: Server) -> None:
    front, yard = await watch(server, "front"), await watch(server, "yard")
    listed = await server.request("GET", "/api/v1/viewers")
    assert listed.json() == [viewer_facts(front, "front"), viewer_facts(yard, "yard")]
    operation = openapi_document()["paths"]["/api/v1/viewers"]["get"]
    items = operation["responses"]["200"]["content"]["application/json"]["schema"]["items"]
    assert set(items["properties"]) == set(items["required"]) == set(viewer_facts(front))
    assert [each["id"] for each in (await server.request("GET", "/api/v1/viewers?camera=yard")).json()] == [yard]
    assert (await server.request("GET", "/api/v1/viewers?camera=attic")).json() == []


async def test_one_is_told_of_those_whom_one_may_send_away(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    access = access_for({"alice": "admin", "keith": "keeper", "victor": "viewer"}, tmp_path)
    async with running_server(engine, web, access=access) as server:

        async def ask(who: str, method: str = "GET", path: str = "viewers") -> Reply:
            return await server.request(method, f"/api/v1/{path}", headers=basic(who))

        front, yard = [await watch(server, name, **basic("alice")) for name in ("front", "yard")]
        assert [each["id"] for each in (await ask("alice")).json()] == [front, yard]
        assert [each["id"] for each in (await ask("keith")).json()] == [front]
        assert (await ask("victor")).status == 403
        assert (await ask("keith", "DELETE", f"cameras/front/viewers/{yard}")).status == 404
        assert (await ask("keith", "DELETE", f"cameras/yard/viewers/{yard}")).status == 404
        assert set(engine.viewers) == {front, yard}
        assert (await ask("keith", "DELETE", f"cameras/front/viewers/{front}")).status == 204
        assert set(engine.viewers) == {yard}


@pytest.mark.parametrize("address", ["front/viewers/nobody", "yard/viewers/session-1"])
async def test_who_does_not_watch_that_camera_cannot_be_sent_away(
    server: Server, engine: FakeEngine, address: str
) -> None:
    assert await watch(server, "front") == "session-1"
    reply = await server.request("DELETE", f"/api/v1/cameras/{address}")
    assert reply.status == 404
    assert reply.problem()["type"] == "urn:camgate:problem:unknown-viewer"
    assert set(engine.viewers) == {"session-1"}
