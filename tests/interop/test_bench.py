"""`camgate bench` as its users run it, small: three processes, real cameras, real viewers."""

import json
from pathlib import Path

import pytest
import trio

from camgate.bench.processes import exists
from tests.fakes.command import camgate, running_camgate

pytestmark = pytest.mark.interop

SMALL = ["--size", "320x180", "--bitrate", "0.3", "--fps", "10", "--gop", "0.5", "--rate", "50", "--seconds", "2"]


def test_a_small_benchmark(tmp_path: Path) -> None:
    outcome = camgate("bench", "--cameras", "2", "--viewers", "6", *SMALL, "--json", directory=tmp_path)
    assert outcome.code == 0, outcome.out + outcome.err
    figures = json.loads(outcome.out)
    assert figures["connected"] == figures["joined"]["key_frames_seen"] == 6
    assert figures["joined"]["pictures_decoded"] == 2
    assert figures["delivered_percent"] == 100
    assert figures["measured"]["delay"]["samples"] >= 2 * 10 * 2 - 4
    assert figures["cpu_us_per_packet"] > 0
    assert figures["lag"]["samples"] >= 1
    assert list(tmp_path.iterdir()) == []


def below(pid: int) -> set[int]:
    """The processes whose parent is `pid`."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {int(child) for thread in threads for child in (thread / "children").read_text().split()}


async def test_a_signal_ends_all_of_its_processes(tmp_path: Path) -> None:
    async with running_camgate("bench", "--seconds", "60", *SMALL[:-2], directory=tmp_path) as running:
        with trio.fail_after(60):
            while len(children := below(running.process.pid)) < 3:  # noqa: ASYNC110 (another process)
                await trio.sleep(0.1)
        running.process.terminate()
        assert await running.wait_end() == 1
    assert "camgate: stopped before there were figures" in running.lines
    assert not any(exists(child) for child in children)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--pid", "1"], "is for --whep"),
        (["--size", "big"], "must be WIDTHxHEIGHT"),
        (["--size", "321x180"], "even numbers"),
        (["--viewers", "5001"], "5000"),
    ],
)
def test_mistakes_are_told_at_once(tmp_path: Path, arguments: list[str], told: str) -> None:
    outcome = camgate("bench", *arguments, directory=tmp_path)
    assert outcome.code == 2
    assert told in outcome.err


def test_a_server_that_is_not_there_fails_in_words(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/whep/cam%d"
    outcome = camgate("bench", "--whep", url, "--viewers", "2", "--seconds", "1", directory=tmp_path)
    assert outcome.code == 1
    assert "2 did not connect (WHEP failed: " in outcome.out
