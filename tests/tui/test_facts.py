"""What is told, whatever it is, becomes values that a terminal can be given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.tui.facts import read_camera, read_process
from tests.fakes.engine import camera_facts, server_facts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("state", "demand", "is_down"),
    [
        ("live", None, False),
        ("live", "watched", False),
        ("idle", "idle", False),
        ("connecting", "dialling", False),
        ("backoff", "watched", True),
        ("stalled", "watched", True),
        ("connecting", None, True),
        ("backoff", None, True),
        ("stalled", None, True),
    ],
)
def test_what_is_down(state: str, demand: str | None, is_down: bool) -> None:
    camera = read_camera(camera_facts("front") | {"state": state, "demand": demand}, 0.0)
    assert camera is not None
    assert camera.is_down is is_down


def test_a_live_camera_that_is_unwell_says_why_and_is_not_down() -> None:
    told = camera_facts("front") | {"healthy": False, "health_reason": "2 fps of 25", "last_error": "an old one"}
    camera = read_camera(told, 0.0)
    assert camera is not None
    assert (camera.is_down, camera.is_troubled, camera.reason) == (False, True, "2 fps of 25")


def test_nothing_that_a_terminal_obeys_is_left() -> None:
    camera = read_camera(camera_facts("front") | {"state": "backoff", "last_error": "\x1b]0;owned\x07 said\r\n"}, 0.0)
    assert camera is not None
    assert camera.reason == "?]0;owned? said??"


@given(st.dictionaries(st.sampled_from(list(camera_facts("front"))), JSON), JSON)
def test_any_camera_of_another_version_can_be_read(told: dict[str, object], other: object) -> None:
    camera = read_camera({"name": "front"} | told, 0.0)
    assert camera is None or (camera.name.isprintable() and camera.reason.isprintable())
    read_camera(other, 0.0)


@given(st.dictionaries(st.sampled_from([*server_facts(), "load"]), JSON))
def test_any_process_of_another_version_can_be_read(told: dict[str, object]) -> None:
    process = read_process(told)
    assert process is None or process.viewers == (told.get("viewers") if type(told.get("viewers")) is int else 0)
