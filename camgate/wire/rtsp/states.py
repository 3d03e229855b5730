"""The states of an RTSP client's connection.

Theory
======

A client goes once, in one direction, from IDLE to PLAYING, with one request outstanding at a time (Hikvision refuses a
SETUP whose DESCRIBE came over another connection, and many cameras a second DESCRIBE on the same one, so there is no
way back):

    IDLE -> ASKING -> DESCRIBING -> DESCRIBED -> SETTING_UP -> STARTING -> PLAYING

Three things push it forward: calls of its shell (START, PLAY, TEARDOWN), answers of the camera to the outstanding
request, and nothing else. An answer that calls for the same request again (401) or for the next track's SETUP changes
no state. While PLAYING, keepalives go out without being awaited, so their answers are no inputs either.

Two states end it. ENDED: the conversation has failed, was redirected, or the camera ended it, but the connection may
still carry our TEARDOWN, which frees the camera's session slot. CLOSED: nothing more goes out or comes in.
What may happen in every state (EOF, TEARDOWN, an error) is in every row: the table is total over the states, and what
a row lacks is a mistake of our own caller, reported with the states that would allow it.
"""

from enum import Enum, auto

from camgate.wire.rtsp.errors import WrongState


class State(Enum):
    """Where the conversation stands."""

    IDLE = auto()
    ASKING = auto()
    """OPTIONS is out."""
    DESCRIBING = auto()
    """DESCRIBE is out."""
    DESCRIBED = auto()
    """The shell chooses tracks."""
    SETTING_UP = auto()
    """A SETUP is out."""
    STARTING = auto()
    """PLAY is out."""
    PLAYING = auto()
    ENDED = auto()
    CLOSED = auto()


class Input(Enum):
    """What moves a client from state to state; the values are words for error messages."""

    START = "start"
    OPTIONS_ANSWERED = "options answered"
    DESCRIPTION_RECEIVED = "description received"
    PLAY = "play"
    ALL_SET_UP = "all tracks set up"
    PLAY_ACCEPTED = "play accepted"
    END = "end"
    EOF = "end of file"
    TEARDOWN = "teardown"


_ALWAYS = {Input.END: State.ENDED, Input.EOF: State.CLOSED, Input.TEARDOWN: State.CLOSED}

TRANSITIONS: dict[State, dict[Input, State]] = {
    State.IDLE: {Input.START: State.ASKING, **_ALWAYS},
    State.ASKING: {Input.OPTIONS_ANSWERED: State.DESCRIBING, **_ALWAYS},
    State.DESCRIBING: {Input.DESCRIPTION_RECEIVED: State.DESCRIBED, **_ALWAYS},
    State.DESCRIBED: {Input.PLAY: State.SETTING_UP, **_ALWAYS},
    State.SETTING_UP: {Input.ALL_SET_UP: State.STARTING, **_ALWAYS},
    State.STARTING: {Input.PLAY_ACCEPTED: State.PLAYING, **_ALWAYS},
    State.PLAYING: {**_ALWAYS},
    State.ENDED: {**_ALWAYS},
    State.CLOSED: {Input.END: State.CLOSED, Input.EOF: State.CLOSED, Input.TEARDOWN: State.CLOSED},
}


def next_state(state: State, step: Input) -> State:
    """Return the state after `step`; raise WrongState, which lists the states that allow it."""
    following = TRANSITIONS[state].get(step)
    if following is None:
        raise WrongState(step.value, state.name, states_allowing(step))
    return following


def states_allowing(step: Input) -> list[str]:
    """Return the names of the states that `step` is allowed in."""
    return [state.name for state, row in TRANSITIONS.items() if step in row]
