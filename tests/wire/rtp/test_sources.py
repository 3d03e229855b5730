from camgate.wire.rtp.sources import MAX_LEFT, SILENT_S, SourceChoice


def test_a_new_source_is_taken_at_once() -> None:
    choice = SourceChoice()
    assert choice.is_taken(2, instead_of=1, silent_s=0.0)
    assert choice.is_taken(3, instead_of=2, silent_s=0.0)


def test_of_two_that_go_on_the_newer_stays() -> None:
    choice = SourceChoice()
    assert choice.is_taken(2, instead_of=1, silent_s=0.0)
    assert not any(choice.is_taken(1, instead_of=2, silent_s=0.01) for _ in range(100))


def test_the_old_one_returns_when_the_new_one_has_ended() -> None:
    choice = SourceChoice()
    assert choice.is_taken(2, instead_of=1, silent_s=0.0)
    assert choice.is_taken(1, instead_of=2, silent_s=SILENT_S)
    assert not choice.is_taken(2, instead_of=1, silent_s=0.0)


def test_what_is_remembered_is_bounded() -> None:
    choice = SourceChoice()
    assert all(choice.is_taken(ssrc + 1, instead_of=ssrc, silent_s=0.0) for ssrc in range(10 * MAX_LEFT))
    # The first ones are forgotten, the latest is not.
    assert choice.is_taken(1, instead_of=10 * MAX_LEFT, silent_s=0.0)
    assert not choice.is_taken(10 * MAX_LEFT - 1, instead_of=1, silent_s=0.0)
