"""What a client may ask of an RTSP session, and where that leads.

Theory. RFC 2326 appendix A.2 gives the server of a session three states. INIT: there is no session. READY: at least
one track has its transport, nothing flows. PLAYING: media flows. SETUP leads from INIT to READY and may repeat there
for further tracks; PLAY leads to PLAYING, and again there changes nothing for a live stream. Media is interleaved in
the connection, so a session can neither outlive its connection nor move to another: where A.2 goes back to INIT (after
TEARDOWN, or silence beyond the session's timeout) the connection ends too: CLOSED, from where nothing leads on.
A method that the table does not list for a state is answered 455 (section 11.3.6); methods that do not touch the
state (OPTIONS, DESCRIBE, GET_PARAMETER, SET_PARAMETER) are not in it.
"""

from enum import Enum, auto


class ServerState(Enum):
    """Where a connection's session stands."""

    INIT = auto()
    READY = auto()
    PLAYING = auto()
    CLOSED = auto()


_NEXT: dict[ServerState, dict[str, ServerState]] = {
    ServerState.INIT: {
        "SETUP": ServerState.READY,
    },
    ServerState.READY: {
        "SETUP": ServerState.READY,
        "PLAY": ServerState.PLAYING,
        "TEARDOWN": ServerState.CLOSED,
    },
    ServerState.PLAYING: {
        # A.2 lets SETUP change the transport of a session that plays; §10.4 allows to refuse it with 455.
        "PLAY": ServerState.PLAYING,
        "TEARDOWN": ServerState.CLOSED,
    },
    ServerState.CLOSED: {},
}


def next_state(state: ServerState, method: str) -> ServerState | None:
    """Return the state that a successful request leads to; None where the method is not valid in `state`."""
    return _NEXT[state].get(method)


def valid_methods(state: ServerState) -> tuple[str, ...]:
    """Return the state-changing methods that are valid in `state`, for a 455's Allow header."""
    return tuple(_NEXT[state])
