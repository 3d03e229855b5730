import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.base.errors import LocalError
from camgate.wire.codec.vp8_payload import MIN_PAYLOAD_BYTES, packetize_vp8


@given(st.binary(min_size=1, max_size=3000), st.integers(MIN_PAYLOAD_BYTES, 1200))
def test_fragments_fit_are_of_equal_size_and_make_the_frame_again(frame: bytes, max_payload_bytes: int) -> None:
    payloads = packetize_vp8(frame, max_payload_bytes)
    assert b"".join(payload[1:] for payload in payloads) == frame
    # RFC 7741 4.2: S on the first only, partition 0, no extension.
    assert [payload[0] for payload in payloads] == [0x10] + [0] * (len(payloads) - 1)
    sizes = [len(payload) for payload in payloads]
    assert max(sizes) <= max_payload_bytes
    assert len(set(sizes[:-1])) <= 1
    assert sizes[-1] <= sizes[0]


def test_nothing_has_no_packets() -> None:
    assert packetize_vp8(b"", 1000) == []


def test_a_payload_too_small_is_our_mistake() -> None:
    with pytest.raises(LocalError, match="at least 16"):
        packetize_vp8(b"x", 15)
