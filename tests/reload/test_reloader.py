"""A whole camgate that takes other configs while it is watched: what changes, what does not, and what is told."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.lowlevel

from camgate.bench import viewer as viewer_module
from camgate.bench.viewer import Viewer
from tests.fakes.accounts import CHEAP, basic
from tests.fakes.site import Site, eventually, running_site
from tests.fakes.visitors import Watcher, reading
from tests.fakes.web_server import Answer, web_server

ONE, TWO = '[cameras.one]\nurl = "{url}one"\n', '[cameras.two]\nurl = "{url}two"\n'

ADMIN = f"""[auth.users.alice]
password_hash = "{CHEAP.hash("ecila")}"
roles = ["admin"]
"""
BEN = f"""[auth.users.ben]
password_hash = "{CHEAP.hash("neb")}"
roles = ["watchers"]
"""
WATCHERS = '[auth.roles.watchers]\nview = ["group:outside"]\n'


async def reload(site: Site, status: int = 200) -> Any:
    reply = await site.api.post("/api/v1/reload")
    assert reply.status_code == status, reply.text
    return reply.json()


async def packets(watcher: Watcher, more: int = 50) -> None:
    """Wait until so many more packets have come."""
    count = len(watcher.packets) + more

    async def came() -> bool:
        return len(watcher.packets) >= count

    await eventually(came)


async def left(site: Site, viewers: int, camera: str) -> None:
    """Wait until a camera has so many viewers."""

    async def are_left() -> bool:
        return (await site.cameras())[camera]["viewers"] == viewers

    await eventually(are_left)


def watcher_of(site: Site, camera: str) -> Watcher:
    viewer = site.visitors(camera).viewer(Watcher, full=True)
    assert isinstance(viewer, Watcher)
    return viewer


async def test_a_camera_that_is_there_twice_is_told_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        words = " is the same stream as "
        return [record.getMessage().partition(",")[0] for record in caplog.records if words in record.getMessage()]

    again = ONE.replace("one]", "again]")
    async with running_site(tmp_path, ONE + again) as site:
        assert told() == ["cameras.again: is the same stream as cameras.one"]
        site.write(ONE + again + TWO.replace("two]", "third]").replace("{url}two", "{url}one"))
        await reload(site)
        assert told()[1:] == ["cameras.third: is the same stream as cameras.one"], "only what was not told yet"


async def test_who_watches_one_camera_misses_nothing_while_others_come_change_and_go(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE + TWO) as site:
        await site.wait_live("one", "two")
        session = site.filming.playing()["one"]
        watcher = watcher_of(site, "one")
        async with reading(watcher):
            await watcher.join()
            await packets(watcher, 5)
            site.write(ONE + TWO.replace("{url}two", "{url}three") + '[cameras.gate]\nurl = "{url}two"\n')
            told = await reload(site)
            assert (told["added"], told["changed"], told["restarted"]) == (["gate"], {"two": ["url"]}, ["two"])
            await site.wait_live("one", "two", "gate")
            site.write(ONE + 'title = "First"\ngroups = ["outside"]\n')
            told = await reload(site)
            assert (told["removed"], told["changed"]) == (["two", "gate"], {"one": ["title", "groups"]})
            assert told["restarted"] == []
            assert (await site.cameras())["one"]["title"] == "First"
            assert list(await site.cameras()) == ["one"]
            await packets(watcher)
        assert watcher.gaps == 0
        assert site.filming.playing() == {"one": session}


async def test_viewers_stay_when_their_camera_is_another_one(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        await site.wait_live("one")
        watcher = watcher_of(site, "one")
        async with reading(watcher):
            await watcher.join()
            await packets(watcher, 5)
            site.write(ONE.replace("{url}one", "{url}two"))
            await reload(site)
            await site.wait_live("one")
            await packets(watcher)
        assert watcher.gaps == 0
        assert list(site.filming.playing()) == ["two"]


async def test_a_removed_cameras_viewers_are_told(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE + TWO) as site:
        await site.wait_live("one", "two")
        viewer = site.visitors("one").viewer()
        async with reading(viewer) as (_, seen):
            await viewer.join()
            await seen.wait()
            site.write(TWO)
            assert (await reload(site))["ended"] == 1

            async def are_gone() -> bool:
                return (await site.api.get("/api/v1/server")).json()["viewers"] == 0

            await eventually(are_gone)
        assert (await site.api.get("/api/v1/cameras/one")).status_code == 404
        assert list(site.filming.playing()) == ["two"]


async def test_a_bad_config_changes_nothing_and_every_mistake_is_told(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        await site.wait_live("one")
        session = site.filming.playing()
        site.write(
            '[cameras.one]\nurl = "http://192.0.2.1/"\npassword = "hush-hush"\ntitel = "x"\n[limits]\nmax_load = 9\n'
        )
        site.file.write_text(
            site.file.read_text().replace("[limits]\nmax_load = 2\nmax_lag_s = 60\nmax_delay_s = 60\n", "")
        )
        problem = await reload(site, 422)
        assert problem["type"] == "urn:camgate:problem:config-refused"
        assert {error["key"] for error in problem["errors"]} >= {
            "cameras.one.titel",
            "cameras.one.url",
            "limits.max_load",
        }
        assert all(error["line"] and error["detail"] for error in problem["errors"])
        assert "hush-hush" not in json.dumps(problem)
        site.file.unlink()
        assert "does not exist" in (await reload(site, 422))["detail"]
        assert (await site.cameras())["one"]["state"] == "live"
        assert site.filming.playing() == session


async def test_what_cannot_change_at_run_time_is_told_each_time(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        site.write(ONE, '[rtsp_server]\nlisten = "127.0.0.1:0"\n')
        for _ in range(2):
            told = await reload(site)
            assert (told["at_next_start"], told["settings"]) == (["rtsp_server.listen"], [])
        site.write(ONE)
        assert (await reload(site))["at_next_start"] == []


async def test_limits_hold_at_once(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        site.write(ONE, "[transcode]\nmax_streams = 0\n")
        site.file.write_text(
            site.file.read_text().replace("max_load = 2", "max_load = 0.5\nrequests_burst = 1\nrequests_per_s = 0.001")
        )
        told = await reload(site)
        assert told["settings"] == [
            "limits.max_load",
            "limits.requests_per_s",
            "limits.requests_burst",
            "transcode.max_streams",
        ]
        assert (await site.api.get("/api/v1/server")).json()["limits"]["max_load"] == 0.5
        assert (await site.api.get("/healthz")).status_code == 429


async def test_what_would_show_cameras_to_everybody_is_refused(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        site.write(ONE)
        site.file.write_text(site.file.read_text().replace('listen = "127.0.0.1:0"', 'listen = "0.0.0.0:8107"'))
        problem = await reload(site, 422)
        assert [error["key"] for error in problem["errors"]] == ["server.listen"]


async def join(viewer: Viewer, who: str) -> None:
    object.__setattr__(viewer.settings, "authorization", basic(who)["Authorization"])
    await viewer.join()


async def test_users_roles_and_groups_are_taken_and_cut_off_who_may_no_more(tmp_path: Path) -> None:
    outside = ONE + 'groups = ["outside"]\n' + TWO
    async with running_site(tmp_path, outside, ADMIN + BEN + WATCHERS, headers=basic("alice")) as site:
        await site.wait_live("one", "two")
        ben = watcher_of(site, "one")
        async with reading(ben) as (_, seen):
            await join(ben, "ben")
            await seen.wait()
            alice = watcher_of(site, "one")
            async with reading(alice):
                await join(alice, "alice")
                await left(site, 2, "one")
                # Nobody's business.
                site.write(outside.replace('"outside"', '"outside", "inside"'), ADMIN + BEN + WATCHERS)
                assert (await reload(site))["ended"] == 0
                site.write(ONE + TWO + 'groups = ["outside"]\n', ADMIN + BEN + WATCHERS)
                assert (await reload(site))["ended"] == 1
                await left(site, 1, "one")
                await packets(alice)
            assert alice.gaps == 0
        listed = (await site.api.get("/api/v1/cameras", headers=basic("ben"))).json()
        assert [camera["name"] for camera in listed] == ["two"]
        site.write(ONE + TWO, ADMIN)
        assert (await reload(site))["settings"] == ["auth.users", "auth.roles"]
        assert (await site.api.get("/api/v1/cameras", headers=basic("ben"))).status_code == 401
        site.write(ONE + TWO)
        assert (await reload(site))["at_next_start"] == ["auth.users"]
        assert (await site.api.get("/api/v1/cameras", headers={"Authorization": ""})).status_code == 401


async def test_many_reloads_at_once_end_with_the_last_config(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE) as site:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                for cameras in (ONE + TWO, TWO, TWO + ONE, ONE):
                    site.write(cameras)
                    nursery.start_soon(reload, site)
                    await trio.lowlevel.checkpoint()
        await reload(site)
        await site.wait_live("one")
        assert list(site.filming.playing()) == ["one"]


async def test_a_reload_in_the_middle_of_joins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_site(tmp_path, ONE + TWO) as site:
        await site.wait_live("one", "two")
        outcomes: list[str] = []

        async def visit(camera: str) -> None:
            viewer = site.visitors(camera).viewer()
            async with reading(viewer):
                try:
                    await viewer.join()
                    outcomes.append("joined")
                except Exception as error:
                    outcomes.append(str(error))

        with monkeypatch.context() as patch:
            # Whoever is cut off in the middle is told nothing, and waits for so long.
            patch.setattr(viewer_module, "CONNECT_TIMEOUT_S", 3.0)
            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(visit, "one")
                for cameras in (TWO, ONE.replace("{url}one", "{url}three") + TWO, TWO, ONE + TWO):
                    site.write(cameras)
                    nursery.start_soon(visit, "one")
                    await reload(site)
        assert len(outcomes) == 8
        assert not [words for words in outcomes if "500" in words]
        await site.wait_live("one", "two")
        await site.visitors("one").visit()


async def test_over_the_control_socket_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    async with running_site(tmp_path, ONE, ADMIN) as site:
        assert (await site.api.get("/api/v1/cameras")).status_code == 401
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "c"))
        # A name that was pointed here, a page that asks, a proxy's word: nothing of that counts on this road.
        headers = {"Host": "elsewhere.example", "Origin": "https://elsewhere.example", "X-Forwarded-For": "192.0.2.1"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as local:
            session = (await local.get("/api/v1/session")).json()
            assert (session["way"], session["is_admin"]) == ("local", True)
            assert (await local.post("/api/v1/reload")).status_code == 200
            assert [camera["name"] for camera in (await local.get("/api/v1/cameras")).json()] == ["one"]


async def test_webhooks_come_and_go_with_the_config(tmp_path: Path) -> None:
    async with web_server(lambda _: Answer(204)) as server, running_site(tmp_path, ONE) as site:
        webhook = f'[webhooks.house]\nurl = "{server.url("/hook")}"\nsecret = "whsec_{"hush" * 8}"\n'
        site.write(ONE + webhook)
        assert (await reload(site))["settings"] == ["webhooks.house"]

        async def is_told_and_counted() -> bool:
            return 'camgate_webhook_messages_total{webhook="house"} 1.0' in (await site.api.get("/metrics")).text

        await eventually(is_told_and_counted)
        told = json.loads(server.asked[0].body)
        assert (told["event"], told["camera"]) == ("camera.up", "one")
        site.write(ONE)
        assert (await reload(site))["settings"] == ["webhooks.house"]
        assert "house" not in (await site.api.get("/metrics")).text
