"""What the collector passes over, and when it looks."""

import gc
from collections.abc import Iterator

import pytest

from camgate.base.collector import YOUNG_OBJECTS, spare_the_start


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_was_loaded_is_never_looked_at_again() -> None:
    loaded: list[object] = []
    spare_the_start(YOUNG_OBJECTS)
    assert gc.get_freeze_count() > 1_000
    assert not any(each is loaded for each in gc.get_objects())
    assert gc.get_threshold()[0] == YOUNG_OBJECTS


def test_nought_leaves_it_alone() -> None:
    before = gc.get_threshold()
    spare_the_start(0)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
