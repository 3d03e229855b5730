"""Health and cameras."""

import pytest

from camgate.serve.http.openapi import openapi_document
from tests.fakes.engine import FakeEngine, camera_facts, server_facts
from tests.fakes.http import Server


async def test_health_and_readiness_do_not_depend_on_cameras(server: Server, engine: FakeEngine) -> None:
    engine.facts.clear()
    assert (await server.request("GET", "/healthz")).json() == {"status": "alive"}
    assert (await server.request("GET", "/readyz")).json() == {"status": "ready"}


async def test_verbose_health_names_the_cameras_that_need_looking_after(server: Server, engine: FakeEngine) -> None:
    engine.change("yard", state="backoff", healthy=False, health_reason="no route to host")
    reply = await server.request("GET", "/healthz?verbose")
    assert reply.status == 200
    assert reply.json() == {
        "status": "alive",
        "cameras": {"total": 2, "healthy": 1, "unhealthy": 1},
        "unhealthy": [{"name": "yard", "state": "backoff", "health_reason": "no route to host"}],
    }
    assert (await server.request("GET", "/healthz")).json() == {"status": "alive"}
    schema = openapi_document()["components"]["schemas"]["Alive"]["properties"]
    assert schema.keys() == reply.json().keys()
    assert schema["cameras"]["properties"].keys() == reply.json()["cameras"].keys()
    assert schema["unhealthy"]["items"]["properties"].keys() == reply.json()["unhealthy"][0].keys()


async def test_cameras_are_listed_and_shown(server: Server) -> None:
    listed = await server.request("GET", "/api/v1/cameras")
    assert listed.headers["content-type"] == "application/json"
    assert listed.headers["cache-control"] == "no-store"
    assert listed.json() == [camera_facts("front"), camera_facts("yard")]
    assert (await server.request("GET", "/api/v1/cameras/yard")).json() == camera_facts("yard")


@pytest.mark.parametrize("name", ["garage", "Front", "a%20b", "%F0%9F%93%B7"])
async def test_an_unknown_camera_is_a_problem(server: Server, name: str) -> None:
    reply = await server.request("GET", f"/api/v1/cameras/{name}")
    assert reply.status == 404
    assert reply.problem()["type"] == "urn:camgate:problem:unknown-camera"


async def test_names_with_odd_characters_are_found(server: Server, engine: FakeEngine) -> None:
    engine.change("a b 📷")
    reply = await server.request("GET", "/api/v1/cameras/a%20b%20%F0%9F%93%B7")
    assert reply.json()["name"] == "a b 📷"


async def test_the_machines_load_and_limits_are_shown(server: Server) -> None:
    reply = await server.request("GET", "/api/v1/server")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json() == server_facts()


def test_the_schema_names_what_the_server_tells() -> None:
    schema = openapi_document()["components"]["schemas"]["Server"]
    facts = server_facts()
    assert schema["properties"].keys() == facts.keys()
    for part in ("viewers_by_transport", "load", "limits", "queues"):
        told = facts[part]
        assert isinstance(told, dict)
        assert schema["properties"][part]["properties"].keys() == told.keys()
