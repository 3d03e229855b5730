import pytest

from camgate.wire.rtsp.errors import WrongState
from camgate.wire.rtsp.states import TRANSITIONS, Input, State, next_state, states_allowing


def test_the_table_is_total() -> None:
    assert set(TRANSITIONS) == set(State)
    for row in TRANSITIONS.values():
        assert {Input.END, Input.EOF, Input.TEARDOWN} <= set(row)


def test_every_input_and_every_state_is_reached() -> None:
    assert {step for row in TRANSITIONS.values() for step in row} == set(Input)
    assert {State.IDLE, *(state for row in TRANSITIONS.values() for state in row.values())} == set(State)


def test_the_way_forward_has_no_way_back() -> None:
    order = list(State)
    for state, row in TRANSITIONS.items():
        assert all(order.index(following) > order.index(state) for following in row.values() if following is not state)
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}


def test_a_wrong_step_names_the_states_that_allow_it() -> None:
    with pytest.raises(WrongState) as caught:
        next_state(State.IDLE, Input.PLAY)
    assert str(caught.value) == "play is not allowed in state IDLE; allowed in: DESCRIBED"
    assert states_allowing(Input.START) == ["IDLE"]
