"""Cameras with spaces and letters beyond ASCII in their names, through a whole camgate and its commands."""

from functools import partial
from pathlib import Path
from urllib.parse import quote

import trio

from tests.fakes.command import camgate_process
from tests.fakes.site import running_site
from tests.fakes.visitors import reading

NAME, DECOMPOSED = "K\u00fcche hinten", "Ku\u0308che hinten"
CAMERA = f'[cameras."{DECOMPOSED}"]\nurl = "{{url}}{quote(NAME)}"\n'


async def test_it_is_fetched_watched_added_and_switched_by_any_form_of_its_name(tmp_path: Path) -> None:
    """The camera itself is camgate's RTSP server, asked for by the name in the URL."""
    run = partial(camgate_process, directory=tmp_path)
    async with running_site(tmp_path, CAMERA, names=(NAME, "two")) as site:
        await site.wait_live(NAME)
        for form in (NAME, DECOMPOSED):
            async with reading(site.visitors(quote(form)).viewer()) as (viewer, seen):
                await viewer.join()
                await seen.wait()
            here = ("--socket", tmp_path / "c")
            for command, state in (("disable", False), ("enable", True)):
                done = await trio.to_thread.run_sync(partial(run, "camera", command, form, *here))
                assert done.code == 0, done.err
                configured = (await site.api.get(f"/api/v1/config/cameras/{quote(form)}")).json()
                assert (configured["name"], configured["enabled"]) == (NAME, state)
        url = site.filming.url("two")
        added = await site.api.post("/api/v1/config/cameras", json={"name": "Tu\u0308r 2", "url": url})
        assert (added.status_code, added.json()["name"]) == (201, "T\u00fcr 2")
        assert (await site.api.get(added.headers["location"])).status_code == 200
        again = await site.api.post("/api/v1/config/cameras", json={"name": "T\u00dcR 2", "url": url})
        assert again.status_code == 409
        await site.wait_live("T\u00fcr 2", NAME)
    async with running_site(tmp_path, CAMERA, names=(NAME, "two")) as site:
        configured = (await site.api.get("/api/v1/config/cameras")).json()
        assert [camera["name"] for camera in configured] == [NAME, "T\u00fcr 2"]
