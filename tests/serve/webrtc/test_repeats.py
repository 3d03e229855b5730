"""What a viewer asked for again: not sent twice within a round trip, and no verdict from one bad second."""

from camgate.serve.webrtc.repeats import BAD_SECONDS, DEFAULT_ROUND_TRIP_S, KEPT_S, Repeats


def test_a_packet_is_on_its_way_for_a_round_trip() -> None:
    repeats = Repeats()
    assert not repeats.is_on_its_way(7, 1.0, 0.3)
    repeats.note_sent(7, 1.0)
    assert repeats.is_on_its_way(7, 1.2, 0.3)
    assert not repeats.is_on_its_way(7, 1.3, 0.3)
    assert not repeats.is_on_its_way(8, 1.0, 0.3)


def test_while_no_round_trip_is_known_browsers_pace_is_right() -> None:
    repeats = Repeats()
    repeats.note_sent(7, 1.0)
    assert repeats.is_on_its_way(7, 1.05, None)
    assert not repeats.is_on_its_way(7, 1.0 + DEFAULT_ROUND_TRIP_S, None)


def test_the_memory_is_short() -> None:
    repeats = Repeats()
    for index in range(10_000):
        repeats.note_sent(index, index / 400)
    assert len(repeats._sent_s) <= KEPT_S * 400 + 1


def test_only_what_is_newer_than_all_before_is_new() -> None:
    repeats = Repeats()
    assert repeats.count_new([5, 6, 9]) == 3
    assert repeats.count_new([5, 6, 9]) == 0
    assert repeats.count_new([9, 10]) == 1
    assert repeats.count_new([]) == 0


def test_a_path_is_bad_after_some_bad_seconds_in_a_row() -> None:
    repeats = Repeats()
    sent = 0

    def second(missing: int, loss_fraction: float = 0.05) -> bool:
        nonlocal sent
        sent += 200
        repeats.count_new([1_000 * sent + i for i in range(missing)])
        return repeats.is_path_bad(sent, loss_fraction)

    assert not second(0)
    assert not second(50)
    assert not second(1)
    assert [second(5) for _ in range(BAD_SECONDS + 1)] == [False] * (BAD_SECONDS - 1) + [True, True]
    assert not second(0)
    assert not any(second(50, 0.0) for _ in range(5)), "asked for because it came out of order"
