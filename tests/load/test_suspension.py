"""Only a suspension is told, and once."""

import pytest

from camgate.load.suspension import Suspensions, asleep_s


def test_a_suspension_is_told_once_with_how_long_it_was(caplog: pytest.LogCaptureFixture) -> None:
    asleep = 100.0
    suspensions = Suspensions(lambda: asleep)
    for more_s in (0.0, 0.4, 3600.0, 0.0, 0.4, 60.0):
        asleep += more_s
        suspensions.look()
    assert [record.getMessage().rpartition(" ")[2] for record in caplog.records] == ["seconds=3600", "seconds=60"]


def test_the_clocks_of_a_machine_that_is_awake_go_alike(caplog: pytest.LogCaptureFixture) -> None:
    assert asleep_s() > -1
    Suspensions().look()
    assert caplog.records == []
