"""The table of session states is total and leads where RFC 2326 A.2 leads."""

import pytest

from camgate.wire.rtsp.server_states import ServerState, next_state, valid_methods


@pytest.mark.parametrize("state", ServerState)
def test_every_state_has_a_row(state: ServerState) -> None:
    for method in valid_methods(state):
        assert next_state(state, method) in ServerState


def test_the_way_of_a_session() -> None:
    state: ServerState | None = ServerState.INIT
    for method in ("SETUP", "SETUP", "PLAY", "PLAY", "TEARDOWN"):
        assert state is not None
        state = next_state(state, method)
    assert state is ServerState.CLOSED


@pytest.mark.parametrize(
    ("state", "method"),
    [
        (ServerState.INIT, "PLAY"),
        (ServerState.INIT, "TEARDOWN"),
        (ServerState.PLAYING, "SETUP"),
        (ServerState.CLOSED, "SETUP"),
    ],
)
def test_what_is_not_valid(state: ServerState, method: str) -> None:
    assert next_state(state, method) is None
