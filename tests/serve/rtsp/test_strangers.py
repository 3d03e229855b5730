"""What slows strangers down."""

from camgate.serve.rtsp.strangers import MAX_GUESSERS, GuessingBrake


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
