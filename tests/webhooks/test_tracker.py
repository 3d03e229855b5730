"""From states to messages: what is told, when, and that nobody is flooded."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.model import WEBHOOK_EVENTS
from camgate.relay.source import CameraState
from camgate.webhooks.messages import Event, Message
from camgate.webhooks.tracker import BURST, EVENTS, PER_S, RESTING, Tracker

LIVE, STALLED, BACKOFF = CameraState.LIVE, CameraState.STALLED, CameraState.BACKOFF
CONNECTING, IDLE, STOPPED = CameraState.CONNECTING, CameraState.IDLE, CameraState.STOPPED
AFTER_S = 5.0
WALL_S = 1e9

Step = tuple[float, CameraState]


def told(steps: Sequence[Step], until_s: float, *, tracker: Tracker | None = None) -> list[tuple[float, Message]]:
    """Return what is told when, of a camera that goes through states at these times."""
    tracker = tracker or Tracker(WEBHOOK_EVENTS, AFTER_S)
    messages: list[tuple[float, Message]] = []
    ends = [at for at, _ in steps[1:]] + [until_s]
    for (at_s, state), end_s in zip(steps, ends, strict=True):
        tracker.note("front", "Front door", state, f"since {at_s:g}" if state is not LIVE else None, at_s)
        now = at_s
        while now <= end_s:
            due, next_s = tracker.due(now, WALL_S + now)
            messages += [(now, message) for message in due]
            assert next_s > now
            now = next_s
    return messages


def events(steps: Sequence[Step], until_s: float, **more: Tracker) -> list[tuple[float, str]]:
    return [(at, message.event.value) for at, message in told(steps, until_s, **more)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(0, CONNECTING)], []),
        ([(0, CONNECTING), (1, LIVE)], [(1, "camera.up")]),
        ([(0, CONNECTING), (1, BACKOFF)], [(6, "camera.down")]),
        # Trying again is no news, and does not put off what is.
        ([(0, LIVE), (10, BACKOFF), (11, CONNECTING), (12, BACKOFF)], [(0, "camera.up"), (15, "camera.down")]),
        ([(0, LIVE), (10, BACKOFF), (20, LIVE)], [(0, "camera.up"), (15, "camera.down"), (20, "camera.up")]),
        ([(0, LIVE), (10, BACKOFF), (14, LIVE)], [(0, "camera.up")]),
        ([(0, LIVE), (10, STALLED)], [(0, "camera.up"), (15, "camera.stalled")]),
        # Without pictures since 10, whatever the reason is by now.
        ([(0, LIVE), (10, STALLED), (12, BACKOFF)], [(0, "camera.up"), (15, "camera.down")]),
        (
            [(0, LIVE), (10, STALLED), (20, BACKOFF)],
            [(0, "camera.up"), (15, "camera.stalled"), (20, "camera.down")],
        ),
        # Nobody wants its pictures, or its owner has switched it off.
        ([(0, LIVE), (10, IDLE), (60, LIVE)], [(0, "camera.up")]),
        ([(0, LIVE), (10, BACKOFF), (12, IDLE)], [(0, "camera.up")]),
        ([(0, LIVE), (10, STOPPED)], [(0, "camera.up")]),
        ([(0, LIVE), (10, BACKOFF), (20, IDLE), (30, BACKOFF)], [(0, "camera.up"), (15, "camera.down")]),
    ],
)
def test_what_is_told_and_when(steps: list[Step], expected: list[tuple[float, str]]) -> None:
    assert events(steps, 100) == expected


def test_a_message_says_when_it_happened_and_why_and_what_was_left_out() -> None:
    steps = [(0, LIVE), (10, BACKOFF), (11, LIVE), (20, BACKOFF)]
    (_, up), (at_s, down) = told(steps, 100)
    assert (up.reason, up.skipped) == (None, 0)
    assert (at_s, down.happened_s) == (25, WALL_S + 20)
    assert (down.camera, down.title, down.reason, down.skipped) == ("front", "Front door", "since 20", 1)


def test_the_latest_reason_is_told() -> None:
    (_, down) = told([(0, BACKOFF), (2, CONNECTING), (3, BACKOFF)], 50)[-1]
    assert down.reason == "since 3"


def test_only_what_is_asked_for_is_told() -> None:
    tracker = Tracker(["camera.down"], AFTER_S)
    assert events([(0, LIVE), (10, BACKOFF), (20, LIVE)], 100, tracker=tracker) == [(15, "camera.down")]


def test_with_no_patience_all_is_told_at_once() -> None:
    tracker = Tracker(WEBHOOK_EVENTS, 0)
    assert [at for at, _ in events([(0, LIVE), (1, STALLED), (2, BACKOFF)], 100, tracker=tracker)] == [0, 1, 2]


def test_a_camera_that_flaps_is_told_of_seldom_and_rightly_in_the_end() -> None:
    flaps: list[Step] = [(20 * number, LIVE if number % 2 == 0 else BACKOFF) for number in range(180)]
    found = told(flaps, 10_000)
    assert len(found) <= BURST + 10_000 * PER_S
    assert len(found) > BURST
    assert found[-1][1].event is Event.DOWN
    assert sum(message.skipped for _, message in found) > 50


def test_cameras_that_are_gone_are_forgotten() -> None:
    tracker = Tracker(WEBHOOK_EVENTS, AFTER_S)
    tracker.note("front", "", BACKOFF, None, 0)
    tracker.forget_others([])
    assert tracker.due(100, WALL_S) == ([], math.inf)


def test_what_was_lost_is_told_anew_unless_a_later_message_was_not() -> None:
    tracker = Tracker(WEBHOOK_EVENTS, 0)
    tracker.note("front", "", LIVE, None, 0)
    (up,) = tracker.due(0, WALL_S)[0]
    tracker.note("front", "", BACKOFF, "away", 1)
    (down,) = tracker.due(1, WALL_S)[0]
    tracker.note_lost(up)
    assert tracker.due(2, WALL_S)[0] == []
    tracker.note_lost(down)
    (again,) = tracker.due(3, WALL_S)[0]
    assert (again.event, again.reason, again.id != down.id) == (Event.DOWN, "away", True)


def test_each_camera_has_its_own_bound() -> None:
    tracker = Tracker(WEBHOOK_EVENTS, 0)
    for number in range(50):
        tracker.note(str(number), "", LIVE, None, 0)
    assert len(tracker.due(0, WALL_S)[0]) == 50


STEPS = st.lists(st.tuples(st.floats(0.1, 40), st.sampled_from(CameraState)), min_size=1, max_size=60)


@given(STEPS)
def test_whoever_listens_knows_the_truth_in_the_end_and_is_never_flooded(gaps: list[tuple[float, CameraState]]) -> None:
    steps, at_s = [], 0.0
    for gap_s, state in gaps:
        at_s += gap_s
        steps.append((at_s, state))
    until_s = at_s + 120
    found = told(steps, until_s)
    told_events = [message.event for _, message in found]
    assert all(one is not other for one, other in pairwise(told_events))
    assert len(found) <= BURST + until_s * PER_S
    lasting = [state for _, state in steps if state is not CONNECTING]
    if lasting and lasting[-1] not in RESTING:
        assert told_events[-1] is EVENTS[lasting[-1]]
