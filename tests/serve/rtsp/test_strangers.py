"""What slows strangers down."""

import pytest

from camgate.serve.rtsp.strangers import MAX_GUESSERS, GuessingBrake, Pace, network_of


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_what_counts_as_one_address(host: str, network: str) -> None:
    assert network_of(host) == network


def test_wrong_logins_of_one_address_queue_up_and_others_do_not_wait_for_them() -> None:
    brake = GuessingBrake()
    assert [brake.pause_s("a", 10.0) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert brake.pause_s("b", 10.0) == 1.0
    assert brake.pause_s("a", 12.5) == 1.5
    assert brake.pause_s("a", 100.0) == 1.0


def test_no_more_addresses_are_remembered_than_fit() -> None:
    brake = GuessingBrake()
    for number in range(MAX_GUESSERS + 1):
        brake.pause_s(str(number), 0.0)
    assert brake.pause_s("0", 0.0) == 1.0, "forgotten"
    assert brake.pause_s(str(MAX_GUESSERS), 0.0) == 2.0


def test_a_pace_lets_a_burst_pass_and_then_so_many_a_second() -> None:
    pace = Pace(10.0, 5.0, 0.0)
    assert [pace.pause_s(1, 0.0) for _ in range(6)] == [0.0] * 5 + [0.1]
    assert pace.pause_s(1, 0.1) == pytest.approx(0.1)
    assert pace.pause_s(1, 100.0) == 0.0
