"""A camera's name in every address: percent-encoded both ways, its letters composed or not."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trio

from tests.fakes.accounts import Clock, access_for, basic
from tests.fakes.engine import FakeEngine
from tests.fakes.http import PATIENCE_S, Server, running_server

NAME, DECOMPOSED = "K\u00fcche hinten", "Ku\u0308che hinten"
SDP = {"Content-Type": "application/sdp"}
FORMS = pytest.mark.parametrize("form", [quote(NAME), quote(DECOMPOSED), "K%c3%bcche%20hinten"])


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(NAME, "yard")


@pytest.fixture
async def guarded(engine: FakeEngine, web: Path, tmp_path: Path) -> AsyncIterator[Server]:
    (web / "signin.html").touch()
    # Links are written in a thread, which knows no clock of trio's.
    async with running_server(engine, web, access=access_for({"olga": "operator"}, tmp_path, Clock())) as running:
        yield running


@FORMS
async def test_pages_and_api(server: Server, form: str) -> None:
    html = {"Accept": "text/html"}
    for target in (f"/camera/{form}", f"/embed/{form}", f"/api/v1/cameras/{form}/snapshot.jpg"):
        assert (await server.request("GET", target, headers=html)).status == 200, target
    facts = await server.request("GET", f"/api/v1/cameras/{form}")
    assert facts.json()["name"] == NAME
    other = await server.request("GET", f"/camera/{quote('K' + NAME)}", headers={"Accept": "*/*"})
    assert other.status == 404


@FORMS
async def test_a_whep_session_is_where_location_says(server: Server, engine: FakeEngine, form: str) -> None:
    for query in ("", "?wait=1"):  # on both roads that an offer takes
        reply = await server.request("POST", f"/whep/{form}{query}", b"v=0\r\n", SDP)
        assert reply.status == 201
        assert reply.headers["location"].startswith(f"/whep/{quote(NAME)}/")
        assert [viewer.camera for viewer in engine.viewers.values()] == [NAME]
        listed = await server.request("GET", f"/api/v1/viewers?camera={form}")
        assert [viewer["camera"] for viewer in listed.json()] == [NAME]
        assert (await server.request("DELETE", reply.headers["location"])).status == 200
        assert not engine.viewers


@FORMS
async def test_shares_are_where_location_says(guarded: Server, form: str) -> None:
    body, olga = json.dumps({"seconds": 60}).encode(), {"Content-Type": "application/json", **basic("olga")}
    made = await guarded.request("POST", f"/api/v1/cameras/{form}/shares", body, olga)
    assert made.status == 201
    assert made.headers["location"].startswith(f"/api/v1/cameras/{quote(NAME)}/shares/")
    secret = json.dumps({"secret": made.json()["url"].partition("#")[2]}).encode()
    opened = await guarded.request("POST", "/share", secret, {"Content-Type": "application/json"})
    assert opened.json()["camera"] == NAME
    assert (await guarded.request("DELETE", made.headers["location"], headers=olga)).status == 204


async def test_who_is_led_to_sign_in_comes_back_to_the_camera(guarded: Server) -> None:
    reply = await guarded.request("GET", f"/camera/{quote(DECOMPOSED)}", headers={"Accept": "text/html"})
    assert reply.status == 303
    assert reply.headers["location"] == f"/signin?next={quote(f'/camera/{quote(DECOMPOSED)}', safe='')}"


@FORMS
async def test_the_websocket(server: Server, engine: FakeEngine, form: str) -> None:
    async with server.websocket(f"/ws?camera={form}") as socket:
        with trio.fail_after(PATIENCE_S):
            told = json.loads(await socket.get_message())
            assert [camera["name"] for camera in told["cameras"]] == [NAME]
            for number, name in enumerate((NAME, DECOMPOSED)):
                offer = {"type": "offer", "id": f"v{number}", "camera": name, "sdp": "v=0\r\n"}
                await socket.send_message(json.dumps(offer))
                while json.loads(await socket.get_message())["type"] != "answer":
                    pass
            assert {viewer.camera for viewer in engine.viewers.values()} == {NAME}
