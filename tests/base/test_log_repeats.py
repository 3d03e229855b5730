"""A line that repeats is written once a second with a count, and none is lost."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from camgate.base.log_format import LogLine
from camgate.base.log_repeats import MAX_KINDS, Repeats


def line(text: str, kind: str = "") -> LogLine:
    return LogLine(0.0, 20, "x", text, kind or text)


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


def test_first_at_once_then_one_a_second() -> None:
    repeats = Repeats()
    assert texts(repeats.receive(line("n=0", "kind"), 10.0)) == ["n=0"]
    for n in range(1, 42):
        assert repeats.receive(line(f"n={n}", "kind"), 10.0 + n / 100) == []
    assert repeats.next_deadline() == 11.0
    assert texts(repeats.handle_deadline(11.0)) == ["n=41 (repeated 41 times)"]
    assert repeats.receive(line("n=42", "kind"), 11.5) == []
    assert texts(repeats.handle_deadline(12.0)) == ["n=42 (repeated once)"]
    assert repeats.handle_deadline(13.0) == []
    assert repeats.next_deadline() is None
    assert texts(repeats.receive(line("n=43", "kind"), 14.0)) == ["n=43"]


def test_other_lines_are_not_held_back() -> None:
    repeats = Repeats()
    assert texts(repeats.receive(line("a"), 0.0) + repeats.receive(line("b"), 0.0)) == ["a", "b"]


def test_what_is_due_comes_before_the_next_line() -> None:
    repeats = Repeats()
    repeats.receive(line("a"), 0.0)
    repeats.receive(line("a"), 0.1)
    assert texts(repeats.receive(line("b"), 5.0)) == ["a (repeated once)", "b"]


def test_the_end_flushes() -> None:
    repeats = Repeats()
    for _ in range(4):
        repeats.receive(line("a"), 0.0)
    assert texts(repeats.flush(0.1)) == ["a (repeated 3 times)"]


def test_memory_is_bounded() -> None:
    repeats = Repeats()
    for n in range(MAX_KINDS):
        repeats.receive(line(str(n)), 0.0)
    assert texts(repeats.receive(line("new"), 0.0) + repeats.receive(line("new"), 0.0)) == ["new", "new"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3))))
def test_no_line_is_lost_and_none_comes_twice_a_second(steps: list[tuple[str, float]]) -> None:
    repeats, now = Repeats(), 0.0
    written: list[tuple[float, str]] = []
    for kind, pause_s in steps:
        now += pause_s
        while (deadline := repeats.next_deadline()) is not None and deadline <= now:
            written += [(deadline, out.text) for out in repeats.handle_deadline(deadline)]
        written += [(now, out.text) for out in repeats.receive(line(kind), now)]
    for kind in "abc":
        times = [when for when, text in written if text[0] == kind]
        assert all(later - sooner >= 0.999 for sooner, later in pairwise(times))
    written += [(now, out.text) for out in repeats.flush(now)]
    assert sum(_occurrences(text) for _, text in written) == len(steps)


def _occurrences(text: str) -> int:
    if "once" in text:
        return 1
    return int(text.split()[2]) if "repeated" in text else 1
