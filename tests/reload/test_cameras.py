"""Cameras that are added, changed, switched and removed by the API of a whole camgate."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.accounts import CHEAP, basic
from tests.fakes.site import HANG_S, Site, eventually, running_site
from tests.fakes.visitors import reading

ONE = '[cameras.one]\nurl = "{url}one"\n'
CAMERAS = "/api/v1/config/cameras"
ADMIN = f'[auth.users.alice]\npassword_hash = "{CHEAP.hash("ecila")}"\nroles = ["admin"]\n'


async def ask(site: Site, method: str, path: str = "", body: Any = None, status: int = 200) -> Any:
    reply = await site.api.request(method, f"{CAMERAS}{path}", json=body)
    assert reply.status_code == status, reply.text
    return reply.json() if reply.content else None


def overlay(site: Site) -> Path:
    return site.file.parent / "state" / "cameras.toml"


async def test_a_camera_is_added_changed_and_removed_and_the_file_is_never_touched(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        written = site.file.read_text()
        await site.wait_live("one")
        session = site.filming.playing()["one"]
        new = {"name": "two", "url": site.filming.url("two"), "username": "admin", "password": "hush-hush"}
        told = await ask(site, "POST", body=new, status=201)
        assert (told["name"], told["origin"], told["enabled"]) == ("two", "api", True)
        assert (told["settings"]["username"], told["settings"]["password"]) == ("admin", "***")
        await site.wait_live("one", "two")
        told = await ask(site, "PATCH", "/two", {"url": site.filming.url("three"), "title": "Two"})
        assert told["settings"]["password"] == "***"
        await site.wait_live("one", "two")
        assert set(site.filming.playing()) == {"one", "three"}
        assert (await site.cameras())["two"]["title"] == "Two"
        assert "hush-hush" in overlay(site).read_text()
        told = await ask(site, "PATCH", "/two", {"title": None, "username": None, "password": None})
        assert (told["settings"]["title"], told["settings"]["password"]) == (None, None)
        assert "hush-hush" not in overlay(site).read_text()
        listed = await ask(site, "GET")
        assert [(camera["name"], camera["origin"]) for camera in listed] == [("one", "file"), ("two", "api")]
        await ask(site, "DELETE", "/two", status=204)
        await site.wait_live("one")
        await ask(site, "GET", "/two", status=404)
        assert site.file.read_text() == written
        assert site.filming.playing() == {"one": session}


async def test_a_camera_is_looked_at_before_it_is_added_and_its_password_goes_nowhere_new(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:

        async def probe(status: int = 200, **table: str) -> Any:
            reply = await site.api.post("/api/v1/config/probe", json=table)
            assert reply.status_code == status, reply.text
            return reply.json()

        told = await probe(url=site.filming.url("two"))
        assert (told["error"], told["found"]["codec"]) == (None, "H264")
        assert "refuses the connection" in (await probe(url="rtsp://127.0.0.1:1/x"))["error"]
        assert (await probe(422, url="http://192.0.2.1/"))["errors"][0]["key"] == "cameras.probe.url"
        assert (await probe(422, url="rtsp://x/", password_file="/etc/shadow"))["errors"]
        assert (await probe(409, name="one"))["type"] == "urn:camgate:problem:camera-of-file"
        assert (await probe(404, name="two"))["type"] == "urn:camgate:problem:unknown-camera"
        url = site.filming.url("two").replace("://", "://admin:hush-hush@")
        added = await ask(site, "POST", body={"name": "two", "url": url}, status=201)
        assert (added["settings"]["username"], added["settings"]["password"]) == ("admin", "***")
        # By its name it is asked with its saved login, but nobody else is.
        assert (await probe(name="two"))["error"] is None
        for changes in ({"url": "rtsp://192.0.2.9/"}, {"onvif": "192.0.2.9"}):
            refused = await probe(422, name="two", **changes)
            assert refused["errors"][0]["key"] == "cameras.two.password"
            await ask(site, "PATCH", "/two", changes, 422)
        assert (await ask(site, "GET", "/two"))["settings"]["url"] == site.filming.url("two")
        assert (await site.cameras()).keys() == {"one", "two"}


async def test_what_was_added_is_there_after_a_reload_and_a_restart(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        await ask(site, "POST", body={"name": "two", "url": site.filming.url("two")}, status=201)
        # What was written meanwhile is taken when somebody says so.
        site.write(ONE + '[cameras.three]\nurl = "{url}three"\n')
        await ask(site, "POST", "/one/disable")
        await site.wait_live("two")
        told = (await site.api.post("/api/v1/reload")).json()
        assert (told["added"], told["removed"]) == (["three"], [])
        await site.wait_live("three", "two")
    saved = overlay(site).read_text()
    async with running_site(tmp_path, ONE) as site:
        # At other ports, so the camera that was added is away.
        assert list(await site.cameras()) == ["two"]
        told = await ask(site, "POST", "/one/enable")
        assert (told["origin"], told["enabled"]) == ("file", True)
        assert list(await site.cameras()) == ["one", "two"]
        assert overlay(site).read_text() != saved


async def test_that_a_camera_was_switched_off_ends_with_it(tmp_path: Path) -> None:
    two = '[cameras.two]\nurl = "{url}two"\n'
    async with running_site(tmp_path, ONE + two) as site:
        await ask(site, "POST", "/two/disable")
        site.write(ONE)
        await site.api.post("/api/v1/reload")
        added = await ask(site, "POST", body={"name": "two", "url": site.filming.url("two")}, status=201)
        assert added["enabled"]
        await ask(site, "DELETE", "/two", status=204)
        site.write(ONE + two)
        assert (await site.api.post("/api/v1/reload")).json()["added"] == ["two"]
        await ask(site, "POST", "/two/disable")
        await ask(site, "POST", "/one/disable")
    # Taken out while camgate was stopped, and another of its name comes later.
    async with running_site(tmp_path, ONE) as site:
        site.write(ONE + two)
        assert (await site.api.post("/api/v1/reload")).json()["added"] == ["two"]
        assert list(await site.cameras()) == ["two"], "the other is still off"


async def test_share_links_rest_while_a_camera_is_off_and_end_with_it(tmp_path: Path) -> None:
    two = '[cameras.two]\nurl = "{url}two"\n'

    async def share(site: Site, camera: str) -> str:
        made = await site.api.post(f"/api/v1/cameras/{camera}/shares", json={"seconds": 3600})
        return str(made.json()["url"]).partition("#")[2]

    async def opening(site: Site, secret: str, guest: httpx.AsyncClient) -> str:
        reply = await guest.post(f"{site.url}share", json={"secret": secret})
        return str(reply.json().get("type", "opened")).rpartition(":")[2]

    async with (
        httpx.AsyncClient(trust_env=False, timeout=HANG_S) as guest,
        running_site(tmp_path, ONE + two, ADMIN, headers=basic("alice")) as site,
    ):
        opened, one, second = [await share(site, camera) for camera in ("one", "one", "two")]
        assert await opening(site, opened, guest) == "opened"
        await ask(site, "POST", "/one/disable")
        assert await opening(site, one, guest) == "shared-camera-off"
        await ask(site, "POST", "/one/enable")
        seen = (await guest.get(f"{site.url}api/v1/cameras")).json()
        assert [camera["name"] for camera in seen] == ["one"]
        assert await opening(site, one, guest) == "opened"
        # Out of the file, and back: a camera of the same name is another one.
        for cameras in (ONE, ONE + two):
            site.write(cameras, ADMIN)
            assert (await site.api.post("/api/v1/reload")).status_code == 200
        assert await opening(site, second, guest) == "share-gone"
        one, second = [await share(site, camera) for camera in ("one", "two")]
        await ask(site, "POST", "/one/disable")
    async with (
        httpx.AsyncClient(trust_env=False, timeout=HANG_S) as guest,
        running_site(tmp_path, ONE, ADMIN, headers=basic("alice")) as site,
    ):
        site.write(ONE + two, ADMIN)
        assert (await site.api.post("/api/v1/reload")).status_code == 200
        assert await opening(site, second, guest) == "share-gone"
        await ask(site, "POST", "/one/enable")
        assert await opening(site, one, guest) == "opened"


async def test_who_watches_a_camera_that_is_switched_off_is_told(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        await site.wait_live("one")
        viewer = site.visitors("one").viewer()
        async with reading(viewer) as (_, seen):
            await viewer.join()
            await seen.wait()
            assert (await ask(site, "POST", "/one/disable"))["enabled"] is False
            assert await site.cameras() == {}

            async def is_gone() -> bool:
                return (await site.api.get("/api/v1/server")).json()["viewers"] == 0

            await eventually(is_gone)
        await ask(site, "POST", "/one/enable")
        await site.wait_live("one")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", "", {"name": "ONE", "url": "rtsp://192.0.2.1/"}, 409, "camera-exists"),
        ("POST", "", {"name": "a/b", "url": "rtsp://192.0.2.1/"}, 422, "config-refused"),
        ("POST", "", {"name": "two"}, 422, "config-refused"),
        ("POST", "", {"name": "two", "url": "rtsp://192.0.2.1/", "titel": "x"}, 422, "config-refused"),
        (
            "POST",
            "",
            {"name": "two", "url": "rtsp://192.0.2.1/", "password_file": "/etc/shadow"},
            422,
            "config-refused",
        ),
        ("POST", "", {"url": "rtsp://192.0.2.1/"}, 400, "bad-camera"),
        ("POST", "", [], 400, "bad-camera"),
        ("PATCH", "/one", {"title": "x"}, 409, "camera-of-file"),
        ("DELETE", "/one", None, 409, "camera-of-file"),
        ("PATCH", "/none", {"title": "x"}, 404, "unknown-camera"),
        ("DELETE", "/none", None, 404, "unknown-camera"),
        ("POST", "/none/disable", None, 404, "unknown-camera"),
        ("GET", "/none", None, 404, "unknown-camera"),
    ],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(
    tmp_path: Path, method: str, path: str, body: Any, status: int, kind: str
) -> None:
    async with running_site(tmp_path, ONE) as site:
        problem = await ask(site, method, path, body, status)
        assert problem["type"] == f"urn:camgate:problem:{kind}"
        assert [error["key"].startswith("cameras.") for error in problem.get("errors", [])] in ([], [True])
        assert list(await site.cameras()) == ["one"]
        assert not overlay(site).exists()


async def test_a_change_that_cannot_be_kept_is_not_made(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        overlay(site).parent.write_text("in the way")
        problem = await ask(site, "POST", body={"name": "two", "url": "rtsp://192.0.2.1/"}, status=507)
        assert "Nothing was changed" in problem["detail"]
        assert list(await site.cameras()) == ["one"]
        os.unlink(overlay(site).parent)
        await ask(site, "POST", body={"name": "two", "url": "rtsp://192.0.2.1/"}, status=201)


async def test_a_camera_that_was_saved_starts_a_config_without_any(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        await ask(site, "POST", body={"name": "two", "url": "rtsp://192.0.2.1/"}, status=201)
        site.write("")
        assert (await site.api.post("/api/v1/reload")).json()["removed"] == ["one"]
        await ask(site, "DELETE", "/two", status=204)
        assert (await site.api.post("/api/v1/reload")).status_code == 422


async def test_the_config_is_shown_without_its_secrets(tmp_path: Path) -> None:
    cameras = ONE + 'username = "admin"\npassword = "hush-hush"\n'
    async with running_site(tmp_path, cameras) as site:
        reply = await site.api.get("/api/v1/config")
        assert reply.json()["cameras"]["one"]["password"] == "***"
        assert reply.json()["limits"]["max_load"] == 2
        assert "hush-hush" not in reply.text
