"""`camgate viewer …` beside a camgate that runs: who is listed, and who is sent away."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from camgate.bench.signaling import SignalingFailed
from tests.fakes.command import Outcome, Running, camgate_process, running_camgate
from tests.fakes.visitors import HANG_S, Visitors, staying


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_camgate("demo", "--listen=127.0.0.1:0", "--webrtc-port=0", directory=tmp_path) as running:
        yield running


async def viewer(url: str, directory: Path, *arguments: str) -> Outcome:
    command, *rest = arguments
    return await trio.to_thread.run_sync(
        lambda: camgate_process("viewer", command, f"--url={url}", *rest, directory=directory)
    )


async def test_who_watches_is_listed_and_sent_away(demo: Running, tmp_path: Path) -> None:
    url = "http://" + (await demo.wait_line("http://")).partition("http://")[2].split()[0].rstrip("/")
    assert (await viewer(url, tmp_path, "list")).out == "nobody watches\n"
    await demo.wait_line("camera live camera=front-door")
    async with staying(Visitors(f"{url}/whep/front-door").viewer()) as (watching, seen):
        with trio.fail_after(HANG_S):
            while True:
                try:
                    await watching.join()
                except SignalingFailed:  # a busy machine refuses viewers for a while
                    await trio.sleep(0.5)
                else:
                    break
            await seen.wait()
        (told,) = json.loads((await viewer(url, tmp_path, "list", "--json")).out)
        assert (told["camera"], told["is_connected"]) == ("front-door", True)
        listed = await viewer(url, tmp_path, "list", "--camera=front-door")
        (row,) = [line.split() for line in listed.out.splitlines() if told["id"] in line]
        assert row[:6] == [told["id"], "front-door", "everybody", told["address"], "webrtc", "udp"]
        assert (await viewer(url, tmp_path, "list", "--camera=garden")).out == "nobody watches\n"
        wrong = await viewer(url, tmp_path, "end", "nobody")
        assert (wrong.code, wrong.err.count("\n")) == (2, 1)
        assert "nobody watches under the id nobody" in wrong.err
        ended = await viewer(url, tmp_path, "end", told["id"])
        assert (ended.code, ended.out) == (0, f"viewer {told['id']} is sent away\n")
        await demo.wait_line("an operator has ended it")
    assert (await viewer(url, tmp_path, "list")).out == "nobody watches\n"
