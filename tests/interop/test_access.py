"""`camgate run` and `camgate token`, as people use them: real viewers are cut when their token ends, and only they."""

import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate
from tests.fakes.accounts import CHEAP, basic
from tests.fakes.command import camgate_process, running_camgate
from tests.fakes.gst import gst_camera
from tests.fakes.visitors import staying

pytestmark = pytest.mark.interop

PATIENCE_S = 60.0
PACKETS = 30
"""A second of pictures at 25 fps, more or less."""
LIFE_S = 20
"""Of the token that ends by itself: long enough for three viewers to join on a busy machine."""

CONFIG = """
[server]
listen = "127.0.0.1:0"
state_directory = "state"
[webrtc]
port = 0
advertise = ["127.0.0.1"]
[limits]
max_load = 2
max_lag_s = 60
max_delay_s = 60
[auth.users.anna]
password_hash = "{password_hash}"
roles = ["admin"]
[cameras.front]
url = "{url}"
"""


@asynccontextmanager
async def watching(url: str, authorization: str, number: int) -> AsyncIterator[Viewer]:
    settings = ViewerSettings(
        url=url, camera=0, number=number, full=True, certificate=Certificate(), authorization=authorization
    )
    async with staying(Viewer(settings)) as (viewer, seen):
        await viewer.join()
        await seen.wait()
        yield viewer


class Server:
    """The running camgate, asked by an administrator."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def viewers(self) -> int:
        count: int = json.loads(await self.get("api/v1/cameras/front"))["viewers"]
        return count

    async def get(self, path: str, headers: dict[str, str] | None = None) -> bytes:
        asked = urllib.request.Request(f"{self.url}{path}", headers=headers or basic("anna"))
        return await trio.to_thread.run_sync(lambda: urllib.request.urlopen(asked, timeout=PATIENCE_S).read())

    async def wait_live(self) -> None:
        while json.loads(await self.get("api/v1/cameras/front"))["state"] != "live":  # noqa: ASYNC110 (another process)
            await trio.sleep(0.1)

    async def wait_viewers(self, count: int) -> None:
        while await self.viewers() != count:  # noqa: ASYNC110 (another process)
            await trio.sleep(0.1)


def gaps_of(viewer: Viewer) -> int:
    """How many packets a viewer missed since its window began."""
    window = viewer.reception.window
    return (window.last_index - window.first_index) - window.received


async def wait_packets(viewer: Viewer) -> None:
    """Return once a viewer has got `PACKETS` more."""
    end = viewer.reception.index + PACKETS
    while viewer.reception.index < end:  # noqa: ASYNC110 (the network)
        await trio.sleep(0.02)


async def wait_silent(viewer: Viewer, beside: Viewer) -> None:
    """Return once a viewer gets nothing for as long as another gets `PACKETS`: what was on its way may still come."""
    before = -1
    while viewer.reception.index != before:
        before = viewer.reception.index
        await wait_packets(beside)


async def test_viewers_are_cut_with_their_token_and_others_go_on(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(trio.fail_after(3 * PATIENCE_S))
        camera = await stack.enter_async_context(gst_camera("--fps=25"))
        config = CONFIG.format(url=camera.url, password_hash=CHEAP.hash("anna"[::-1]))
        (tmp_path / "camgate.toml").write_text(config)
        running = await stack.enter_async_context(running_camgate("run", directory=tmp_path))
        server = Server((await running.wait_line(" ready ")).partition("url=")[2].split()[0])
        await server.wait_live()

        async def token(*arguments: str) -> tuple[str, str]:
            made = await trio.to_thread.run_sync(
                lambda: camgate_process("token", "--camera=front", *arguments, directory=tmp_path)
            )
            assert made.code == 0, made.err
            return f"Bearer {made.out.strip()}", made.err.split()[-1]

        whep = f"{server.url}whep/front"
        revoked, revoked_id = await token()
        watcher = await stack.enter_async_context(watching(whep, basic("anna")["Authorization"], 1))
        by_revoked = await stack.enter_async_context(watching(whep, revoked, 2))
        ending, _ = await token(f"--expires={LIFE_S}s")
        by_ending = await stack.enter_async_context(watching(whep, ending, 3))
        assert await server.viewers() == 3
        watcher.begin_window()

        await server.wait_viewers(2)  # the token has ended by itself
        await wait_silent(by_ending, watcher)
        await wait_packets(by_revoked)
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            await server.get("api/v1/cameras", {"Authorization": ending})
        refused.value.close()

        await trio.to_thread.run_sync(lambda: camgate_process("token", "revoke", revoked_id, directory=tmp_path))
        await server.wait_viewers(1)
        await wait_silent(by_revoked, watcher)
        assert gaps_of(watcher) == 0
        log = "\n".join(running.lines)
        assert "token refused" in log
        assert "the token has expired" in log
        assert ending.split()[1] not in log
        assert revoked.split()[1] not in log
