"""Whatever WebSocket clients say, it is a message or a BadMessage that says why not."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from camgate.serve.http.messages import MAX_ID_CHARS, BadMessage, Candidate, Offer, parse_message_untrusted
from camgate.serve.http.problem import Problem
from camgate.serve.http.whep import MAX_WAIT_S
from tests.fuzz.reach import Reach

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
texts = st.text(st.characters(), max_size=MAX_ID_CHARS + 2)  # Halves of surrogate pairs included.
messages = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["offer", "candidate", "close", "ping"]) | anything,
        "id": st.text(min_size=1, max_size=8) | texts | anything,
    },
    optional={
        "camera": texts | anything,
        "sdp": texts | anything,
        "wait": st.floats(0, MAX_WAIT_S) | anything,
        "candidate": st.sampled_from(["", "candidate:1 1 udp 1 192.0.2.1 9 typ host"]) | texts | anything,
    },
)


def is_object(text: object) -> bool:
    """The first check: JSON, and an object."""
    try:
        return isinstance(text, str) and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def test_messages() -> None:
    reach = Reach("WebSocket message")

    @given(messages.map(json.dumps) | st.text(max_size=30) | st.binary(max_size=10) | st.none())
    @example("[" * 14_000)
    @example('{"a":' * 5_000)
    @example('{"type":"offer","id":"v1","camera":"front","sdp":"","wait":1' + "0" * 10_000 + "}")
    def fuzz(text: str | bytes | None) -> None:
        reach.seen(is_object(text))
        try:
            check_message(parse_message_untrusted(text))
        except BadMessage as error:
            answer = {"id": error.viewer_id, "problem": Problem.of_error(error).members()}
            assert json.dumps(answer).encode()

    fuzz()
    reach.check()


def check_message(message: Any) -> None:
    """What the engine may rely on."""
    if isinstance(message, Offer):
        assert message.sdp.encode() is not None
        assert message.camera.encode() is not None
        assert message.wait_s is None or 0 <= message.wait_s <= MAX_WAIT_S
    if isinstance(message, Candidate):
        assert message.fragment.count("\n") == 1


def test_mutated_text() -> None:
    reach = Reach("WebSocket text")
    valid = '{"type":"offer","id":"v1","camera":"front","sdp":"v=0\\r\\n","wait":5}'

    @given(
        st.integers(0, len(valid)), st.integers(0, 5), st.text(max_size=5) | st.sampled_from(["9" * 5000, "\\ud800"])
    )
    def fuzz(start: int, length: int, piece: str) -> None:
        text = valid[:start] + piece + valid[start + length :]
        reach.seen(is_object(text))
        try:
            check_message(parse_message_untrusted(text))
        except BadMessage as error:
            Problem.of_error(error).body()

    fuzz()
    reach.check()
