import pytest

from camgate.relay.demand import TRANSITIONS, DemandEvent, DemandState

IDLE, DIALLING, WATCHED, LINGERING = DemandState
WANTED, UNWANTED, LIVE, LOST, LINGER_OVER = DemandEvent


def test_the_table_is_total() -> None:
    assert TRANSITIONS.keys() == set(DemandState)
    assert all(row.keys() == set(DemandEvent) for row in TRANSITIONS.values())


@pytest.mark.parametrize(
    ("events", "states"),
    [
        ([WANTED, LIVE, UNWANTED, LINGER_OVER], [DIALLING, WATCHED, LINGERING, IDLE]),
        ([WANTED, UNWANTED, LIVE, WANTED, LIVE], [DIALLING, LINGERING, LINGERING, DIALLING, WATCHED]),
        ([WANTED, LOST, LIVE, LOST, LIVE], [DIALLING, DIALLING, WATCHED, DIALLING, WATCHED]),
        ([WANTED, LIVE, UNWANTED, LOST], [DIALLING, WATCHED, LINGERING, IDLE]),
    ],
)
def test_the_lives_of_a_camera(events: list[DemandEvent], states: list[DemandState]) -> None:
    state, passed = IDLE, []
    for event in events:
        state = TRANSITIONS[state][event]
        passed.append(state)
    assert passed == states


def test_only_what_nobody_wants_is_hung_up_on() -> None:
    for state in (DIALLING, WATCHED):
        assert IDLE not in TRANSITIONS[state].values()
    assert {event for event, state in TRANSITIONS[LINGERING].items() if state is IDLE} == {LOST, LINGER_OVER}


def test_every_state_is_reached_and_left() -> None:
    for state in DemandState:
        assert any(state in row.values() for other, row in TRANSITIONS.items() if other is not state)
        assert set(TRANSITIONS[state].values()) - {state}
