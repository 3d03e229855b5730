"""Children that converse, and what is told of those that do not."""

import os
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.bench.link import Link, ProcessFailed, open_child, open_talking_child

ECHO = """
from pathlib import Path
import trio
from camgate.bench.link import link_to_parent
async def main():
    link = link_to_parent()
    while (message := await link.receive()) is not None:
        if "stop" in message:
            raise SystemExit("cannot do that")
        await link.send(message)
    Path(__file__).with_name("goodbye").touch()
trio.run(main)
"""


@pytest.fixture(autouse=True)
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(tmp_path, "bench_echo.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]))


async def test_messages_go_both_ways() -> None:
    async with open_talking_child("echo", "bench_echo", {"number": 1}) as child:
        await child.send({"text": "x" * 100_000})
        assert await child.receive(30) == {"number": 1}
        assert await child.receive(30) == {"text": "x" * 100_000}
        assert child.is_running


async def test_a_child_that_ends_is_told_with_its_last_words() -> None:
    async with open_talking_child("echo", "bench_echo", {"stop": 1}) as child:
        with pytest.raises(ProcessFailed, match="the benchmark's echo ended\n    cannot do that"):
            await child.receive(30)
        with pytest.raises(ProcessFailed, match="ended"):
            await child.send({"number": 1})


async def test_a_child_that_is_silent() -> None:
    async with open_talking_child("echo", "bench_echo", {"number": 1}) as child:
        await child.receive(30)
        with pytest.raises(ProcessFailed, match="said nothing"):
            await child.receive(0.01)


async def test_a_child_may_say_goodbye(tmp_path: Path) -> None:
    async with open_talking_child("echo", "bench_echo", {"number": 1}) as child:
        await child.receive(30)
    assert await trio.Path(tmp_path, "goodbye").exists()


async def test_a_child_that_only_prints() -> None:
    async with open_child("server", ["bench_nothing"]) as child:
        with trio.fail_after(30):
            while child.is_running:  # noqa: ASYNC110 (another process)
                await trio.sleep(0.02)
        assert "No module named bench_nothing" in str(child.failed("ended"))


async def test_a_message_in_pieces() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    link = Link(ours, ours)
    for piece in (b'{"a"', b': 1}\n{"b": 2}\n{"c', b'": 3}\n'):
        await theirs.send_all(piece)
    assert [await link.receive() for _ in range(3)] == [{"a": 1}, {"b": 2}, {"c": 3}]
    await theirs.aclose()
    assert await link.receive() is None
