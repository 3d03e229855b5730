"""`camgate bench` as its users run it, small: three processes, real cameras, real viewers."""

import json
from functools import partial
from pathlib import Path

import pytest
import trio

from camgate.bench.processes import exists
from tests.fakes.command import camgate, running_camgate
from tests.fakes.ports import free_port

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
    assert figures["answers"]["p50"] > 0
    assert figures["idle"]["live_s"] > 0
    assert list(tmp_path.iterdir()) == []


async def test_another_server_is_measured_with_the_built_in_cameras(tmp_path: Path) -> None:
    rtsp_port = free_port()
    config = tmp_path / "camgate.toml"
    config.write_text(
        f'[server]\nlisten = "127.0.0.1:0"\n[webrtc]\nport = 0\nadvertise = ["127.0.0.1"]\n'
        f'[cameras.cam0]\nurl = "rtsp://127.0.0.1:{rtsp_port}/cam0"\ntransport = "tcp"\n'
    )
    async with running_camgate("run", "--config", config, directory=tmp_path) as running:
        url = (await running.wait_line(" ready ")).partition("url=")[2].split()[0] + "whep/cam%d"
        server = ("--whep", url, "--pid", str(running.process.pid), "--rtsp-port", str(rtsp_port))
        measure = partial(camgate, "bench", *server, "--viewers", "4", *SMALL, "--json", directory=tmp_path)
        outcome = await trio.to_thread.run_sync(measure)
    assert outcome.code == 0, outcome.out + outcome.err
    figures = json.loads(outcome.out)
    assert figures["connected"] == 4
    assert figures["cpu_us_per_packet"] > 0
    assert figures["measured"]["delay"]["p50"] > 0


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
