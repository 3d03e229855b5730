"""The search for the limit, with processes that answer what they are told to."""

from dataclasses import asdict, replace
from typing import Any, cast

import pytest

from camgate.bench.figures import Joined, Measured, Spread
from camgate.bench.link import Message, TalkingChild
from camgate.bench.run import SEARCH_TRIES, BenchSettings, _Bench

SPREAD = Spread(5.0, 8.0, 12.0, 14.0, 100)


class FakeCrowd:
    """Stands for the viewers' process: carries `limit` viewers, and has a hiccup in the windows numbered so."""

    def __init__(self, limit: int, hiccups: set[int]) -> None:
        self.viewers = 0
        self.windows: list[int] = []
        self._limit = limit
        self._hiccups = hiccups
        self._answers: list[Message] = []

    async def send(self, message: Message) -> None:
        self._answers.append({"progress": 1})
        if "join" in message:
            self.viewers += message["join"]
            self._answers.append({"joined": asdict(self._joined(message["join"]))})
        else:
            self.windows.append(self.viewers)
            self._answers.append({"measured": asdict(self._measured())})

    async def receive(self, timeout_s: float) -> Message:
        return self._answers.pop(0)

    def _joined(self, count: int) -> Joined:
        figures: dict[str, Any] = dict.fromkeys(Joined.__dataclass_fields__, 0)
        figures.update(viewers=count, connected=count, key_frames_seen=count, elapsed_s=1.0, first_error=None)
        return Joined(**{**figures, "connect": SPREAD, "first_packet": SPREAD, "key_frame": SPREAD})

    def _measured(self) -> Measured:
        figures: dict[str, Any] = dict.fromkeys(Measured.__dataclass_fields__, 0)
        figures.update(elapsed_s=5.0, delivered=100, expected=100, lone=None)
        late = self.viewers > self._limit or len(self.windows) in self._hiccups
        return Measured(**{**figures, "delay": replace(SPREAD, p99=300.0) if late else SPREAD})


class NoProgress:
    def stage(self, name: str, total: float | None = None) -> None:
        pass

    def reach(self, done: float) -> None:
        pass


async def search(crowd: FakeCrowd, *, most: int | None) -> int | None:
    settings = BenchSettings(viewers=100, max_viewers=most)
    return (await _Bench(settings, NoProgress(), cast(TalkingChild, crowd), None, None, None).run()).carried


async def test_without_a_search_there_is_one_window() -> None:
    crowd = FakeCrowd(1_000, set())
    assert await search(crowd, most=None) is None
    assert crowd.windows == [100]


async def test_the_limit_is_between_two_steps() -> None:
    crowd = FakeCrowd(140, set())
    assert await search(crowd, most=1_000) == 126
    assert crowd.windows == [100, 126] + [158] * SEARCH_TRIES


@pytest.mark.parametrize("most", [100, 110, 300])
async def test_the_search_ends_with_what_was_asked_for(most: int) -> None:
    assert await search(FakeCrowd(1_000, set()), most=most) == most


async def test_a_hiccup_is_no_limit() -> None:
    assert await search(FakeCrowd(1_000, {1, 3, 4}), most=126) == 126


async def test_too_many_at_once() -> None:
    assert await search(FakeCrowd(50, set()), most=200) == 0
