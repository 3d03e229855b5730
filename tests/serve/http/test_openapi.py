"""The API's description: whole, and true to the routes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from camgate.serve.http.openapi import openapi_document
from camgate.serve.http.permissions import needs_of_routes
from tests.fakes.engine import FakeEngine, camera_facts
from tests.fakes.http import Server, application

METHODS = {"get", "post", "patch", "delete", "options", "put"}


def routes(engine: FakeEngine, web: Path) -> set[tuple[str, str]]:
    found = set()
    for rule in application(engine, web).url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        found |= {(path, method.lower()) for method in rule.methods or () if method != "HEAD"}
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any], list[Any]]]:
    for path, item in openapi_document()["paths"].items():
        for method in METHODS & item.keys():
            parameters = item.get("parameters", []) + item[method].get("parameters", [])
            yield path, method, item[method], parameters


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    target: Any = openapi_document()
    for part in value["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


async def test_it_lists_every_route_and_no_other(engine: FakeEngine, web: Path) -> None:
    assert {(path, method) for path, method, _, _ in operations()} == routes(engine, web)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(openapi_document()))
    assert found
    assert all(resolve(reference) for reference in found)


def test_every_operation_is_whole() -> None:
    for path, _, operation, parameters in operations():
        assert operation["summary"]
        assert all(resolve(answer)["description"] for answer in operation["responses"].values())
        named = {resolve(parameter)["name"] for parameter in parameters if resolve(parameter)["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


async def test_it_says_which_routes_ask_who_one_is(engine: FakeEngine, web: Path) -> None:
    app = application(engine, web)
    needs = needs_of_routes(app)
    open_to_all = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if needs[rule.endpoint].action is None and method != "HEAD" and not rule.websocket
    }
    assert {
        (path, method) for path, method, operation, _ in operations() if operation.get("security") == []
    } == open_to_all


async def test_it_is_served_and_describes_what_is_served(server: Server) -> None:
    assert (await server.request("GET", "/api/v1/openapi.json")).json() == openapi_document()
    camera = openapi_document()["components"]["schemas"]["Camera"]
    assert set(camera["properties"]) == set(camera_facts("front"))
