"""What slows strangers down."""

from camgate.serve.rtsp.strangers import GUESS_PAUSE_S, MAX_GUESSERS, MAX_OWED_S, GuessingBrake


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


def test_what_an_address_owes_is_bounded_and_runs_out() -> None:
    brake = GuessingBrake()
    assert brake.wait_s("a", 10.0) == 0.0
    for _ in range(100):
        brake.pause_s("a", 10.0)
    assert brake.wait_s("a", 10.0) == MAX_OWED_S
    assert brake.is_over("a", 10.0)
    assert not brake.is_over("b", 10.0)
    assert not brake.is_over("a", 10.0 + GUESS_PAUSE_S)
    assert brake.wait_s("a", 10.0 + MAX_OWED_S) == 0.0
