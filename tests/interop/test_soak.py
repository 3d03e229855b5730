"""The soak, for seconds: it finds a leak that was put there, and accuses nobody where there is none."""

import json
import sys
from pathlib import Path

import pytest
import trio

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 180.0
FORGIVEN = "1000"
"""Frames: that a busy machine drops some is not what this is about."""


async def soak(*arguments: str) -> tuple[int, dict[str, object], str]:
    """Return the exit code, what it printed as JSON, and what it said meanwhile."""
    command = [sys.executable, "-m", "tests.soak", "--json", "--viewers=25", f"--forgive={FORGIVEN}", *arguments]
    done = await trio.run_process(command, cwd=ROOT, capture_stdout=True, capture_stderr=True, check=False)
    said = done.stderr.decode()
    assert done.stdout, said
    return done.returncode, json.loads(done.stdout), said


async def test_a_leak_is_found_and_none_is_not(tmp_path: Path) -> None:
    picture = tmp_path / "soak.png"
    ends: dict[str, tuple[int, dict[str, object], str]] = {}

    async def run(name: str, *arguments: str) -> None:
        ends[name] = await soak(*arguments)

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, "leaky", "--minutes=0.6", "--leak", f"--plot={picture}")
            nursery.start_soon(run, "sound", "--minutes=0.6")
    code, leaky, said = ends["leaky"]
    assert (code, leaky["verdict"]) == (1, "grows"), leaky
    assert "FAILED: memory, MB: grows by " in str(leaky["conclusion"])
    assert "minute 0: " in said
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, sound, _ = ends["sound"]
    assert (code, sound["verdict"]) == (0, "too short to tell"), sound
    counts = sound["counts"]
    assert isinstance(counts, dict)
    assert counts["visits"] > 0
    assert counts["reloads"] > 0
