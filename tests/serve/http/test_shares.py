"""Share links over real sockets: made by who may, opened once by a button's POST, and gone when they should be."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from camgate.auth.access import Access
from camgate.auth.signing import Signer
from camgate.auth.tokens import TOKEN
from camgate.serve.http.identity import MAX_LINKS
from tests.fakes.accounts import Clock, access_for, basic
from tests.fakes.engine import FakeEngine
from tests.fakes.http import PATIENCE_S, Reply, Server, running_server

JSON = {"Content-Type": "application/json"}
FROM_OUR_PAGE = {"Sec-Fetch-Site": "same-origin"}
SHARES = "/api/v1/cameras/front/shares"


@pytest.fixture
async def access(tmp_path: Path, clock: Clock) -> Access:
    return access_for({"olga": "operator", "keith": "keeper", "victor": "viewer"}, tmp_path, clock)


@pytest.fixture
async def guarded(engine: FakeEngine, web: Path, access: Access) -> AsyncIterator[Server]:
    (web / "share.html").write_text("<!doctype html><title>A camera for you</title>")
    async with running_server(engine, web, access=access) as server:
        yield server


async def make(server: Server, camera: str = "front", who: str = "olga", **fields: Any) -> Reply:
    body = json.dumps(fields or {"seconds": 3600, "label": "postman"}).encode()
    return await server.request("POST", f"/api/v1/cameras/{camera}/shares", body, {**JSON, **basic(who)})


async def open_link(server: Server, url: str) -> Reply:
    body = json.dumps({"secret": url.partition("#")[2]}).encode()
    return await server.request("POST", "/share", body, JSON)


def cookie_of(reply: Reply) -> dict[str, str]:
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0], **FROM_OUR_PAGE}


async def test_a_link_is_made_opened_and_watched_by(guarded: Server, clock: Clock) -> None:
    made = await make(guarded)
    assert made.status == 201
    assert made.headers["cache-control"] == "no-store"
    facts = made.json()
    assert facts["url"].startswith("http://localhost/share#")
    assert (facts["made_by"], facts["until"], facts["opened_at"]) == ("olga", clock.now_s + 3600, None)
    # What a chat program's preview does uses nothing up, and tells nothing.
    for _ in range(3):
        assert "camera for you" in (await guarded.request("GET", "/share")).body.decode()
    opened = await open_link(guarded, facts["url"])
    assert opened.json() == {"camera": "front", "until": clock.now_s + 3600}
    parts = {part.strip() for part in opened.headers["set-cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"} <= parts
    cookie = cookie_of(opened)
    cameras = (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).json()
    assert [camera["name"] for camera in cameras] == ["front"]
    assert (await guarded.request("GET", "/camera/front", headers=cookie)).status == 200
    assert (await guarded.request("GET", "/api/v1/cameras/yard", headers=cookie)).status == 404
    assert (await guarded.request("GET", SHARES, headers=cookie)).status == 403
    assert (await guarded.request("GET", "/api/v1/session", headers=cookie)).json()["name"] == "share of olga"
    clock.now_s += 3600
    assert (await guarded.request("GET", "/camera/front", headers=cookie)).status == 401


async def test_a_link_that_ends_early_says_why(guarded: Server, clock: Clock, tmp_path: Path) -> None:
    claims = {"jti": "t1", "exp": clock.now_s + 60, "grants": {"control": ["front"], "view": ["front"]}}
    signed = Signer((tmp_path / "auth.key").read_bytes()).sign(TOKEN, claims)
    for seconds, until_s, notes in ((3600, 60, ["It ends with the token that it was made with."]), (30, 30, [])):
        body = json.dumps({"seconds": seconds}).encode()
        headers = {**JSON, "Authorization": f"Bearer {signed}"}
        made = (await guarded.request("POST", SHARES, body, headers)).json()
        assert (made["until"], [made[key] for key in made if key == "note"]) == (clock.now_s + until_s, notes)


async def test_a_second_browser_is_told_that_it_was_used(guarded: Server) -> None:
    url = (await make(guarded)).json()["url"]
    assert (await open_link(guarded, url)).status == 200
    reply = await open_link(guarded, url)
    assert reply.status == 410
    assert "opened before" in reply.problem()["detail"]
    assert "set-cookie" not in reply.headers


def browser(server: Server) -> httpx.AsyncClient:
    """Keeps cookies, as browsers do, and is on a page of ours."""
    url = f"http://127.0.0.1:{server.port}"
    return httpx.AsyncClient(base_url=url, headers=FROM_OUR_PAGE, timeout=PATIENCE_S, trust_env=False)


async def opens(guest: httpx.AsyncClient, made: Reply) -> None:
    secret = made.json()["url"].partition("#")[2]
    assert (await guest.post("/share", json={"secret": secret})).status_code == 200


async def sees(guest: httpx.AsyncClient) -> list[str]:
    return [camera["name"] for camera in (await guest.get("/api/v1/cameras")).json()]


async def test_a_browser_holds_several_links_and_makes_room_for_more(guarded: Server) -> None:
    async with browser(guarded) as guest:
        await opens(guest, await make(guarded, "yard"))
        first = await make(guarded)
        await opens(guest, first)
        assert await sees(guest) == ["front", "yard"]
        for _ in range(MAX_LINKS - 2):
            await opens(guest, await make(guarded))
        assert len(guest.cookies) == MAX_LINKS
        # One that holds no more goes before those that do, and then the oldest.
        assert (await guarded.request("DELETE", first.headers["location"], headers=basic("olga"))).status == 204
        await opens(guest, await make(guarded))
        assert (len(guest.cookies), await sees(guest)) == (MAX_LINKS, ["front", "yard"])
        await opens(guest, await make(guarded))
        assert (len(guest.cookies), await sees(guest)) == (MAX_LINKS, ["front"])


async def test_who_is_signed_in_sees_one_camera_more_by_a_link_and_may_no_more_than_that(guarded: Server) -> None:
    async with browser(guarded) as keith:
        assert (await keith.post("/signin", json={"name": "keith", "password": "htiek"})).status_code == 200
        assert await sees(keith) == ["front"]
        made = await make(guarded, "yard")
        await opens(keith, made)
        assert await sees(keith) == ["front", "yard"]
        session = (await keith.get("/api/v1/session")).json()
        assert (session["name"], session["grants"]["view"]) == ("keith", ["front", "yard"])
        offer = {"content": b"v=0\r\n", "headers": {"Content-Type": "application/sdp"}}
        assert (await keith.post("/whep/yard", **offer)).status_code == 201
        assert (await keith.get(SHARES)).status_code == 200
        assert (await keith.get("/api/v1/cameras/yard/shares")).status_code == 403
        assert (await keith.get("/api/v1/server")).status_code == 403
        assert (await guarded.request("DELETE", made.headers["location"], headers=basic("olga"))).status == 204
        assert await sees(keith) == ["front"]
        assert (await keith.post("/whep/yard", **offer)).status_code == 404


async def test_links_are_listed_and_taken_back_by_who_controls_the_camera(guarded: Server) -> None:
    facts = (await make(guarded)).json()
    await make(guarded, "yard")
    cookie = cookie_of(await open_link(guarded, facts["url"]))
    listed = (await guarded.request("GET", SHARES, headers=basic("keith"))).json()
    assert [(share["id"], share["label"]) for share in listed] == [(facts["id"], "postman")]
    assert "url" not in listed[0]
    async with guarded.websocket("/ws?camera=front", headers=cookie) as socket:
        await socket.get_message()
        address = f"{SHARES}/{facts['id']}"
        assert (await guarded.request("DELETE", address, headers=basic("victor"))).status == 403
        assert (await guarded.request("DELETE", address, headers=basic("keith"))).status == 204
        with trio.fail_after(10):
            message = json.loads(await socket.get_message())
        assert message["type"] == "signed-out"
        assert "taken back" in message["reason"]
    assert (await guarded.request("DELETE", address, headers=basic("keith"))).status == 404
    assert (await guarded.request("GET", "/camera/front", headers=cookie)).status == 401


async def test_who_may_only_watch_cannot_share(guarded: Server) -> None:
    assert (await make(guarded, who="victor")).status == 403
    assert (await make(guarded, "yard", who="keith")).status == 404  # who does not even see it
    assert (await make(guarded, "nowhere")).status == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"label": "x"},
        {"seconds": 60, "until": 1_000_060},
        {"seconds": "60"},
        {"seconds": True},
        {"seconds": 9},
        {"seconds": 90 * 86_400 + 1},
        {"seconds": float("inf")},
        {"seconds": 1e308},
        {"seconds": 10**400},
        {"until": 1_000_005},
        {"seconds": 60, "label": 5},
        {"seconds": 60, "label": "x" * 101},
        {"seconds": 60, "label": "two\nlines"},
    ],
)
async def test_what_cannot_be_shared_so_is_refused(guarded: Server, fields: dict[str, Any]) -> None:
    reply = await make(guarded, **fields)
    assert reply.status == 400
    assert reply.problem()["type"].endswith(":bad-share")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"secret":7}', b'{"secret":""}', b"[" * 50_000, b"\xff"])
async def test_what_opens_nothing_is_a_bad_request(guarded: Server, body: bytes) -> None:
    assert (await guarded.request("POST", "/share", body, JSON)).status == 400


async def test_another_sites_form_opens_nothing(guarded: Server) -> None:
    url = (await make(guarded)).json()["url"]
    body = json.dumps({"secret": url.partition("#")[2]}).encode()
    assert (await guarded.request("POST", "/share", body, {"Content-Type": "text/plain"})).status == 400
    assert (await guarded.request("POST", "/share", body, {**JSON, "Origin": "https://else.example"})).status == 403
    assert (await open_link(guarded, url)).status == 200


async def test_a_shares_cookie_is_of_no_use_to_another_sites_page(guarded: Server) -> None:
    cookie = cookie_of(await open_link(guarded, (await make(guarded)).json()["url"]))
    foreign = {**cookie, "Sec-Fetch-Site": "cross-site", "Content-Type": "application/sdp"}
    assert (await guarded.request("POST", "/whep/front", b"v=0", foreign)).status == 403


async def test_without_users_there_is_nothing_to_share(server: Server) -> None:
    reply = await server.request("POST", SHARES, b'{"seconds":60}', JSON)
    assert reply.status == 409
    assert reply.problem()["type"].endswith(":sharing-is-off")
