"""Whatever arrives on a UDP port, the reorder buffer takes it, and gives out nothing that did not come in."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtp.reorder import MAX_LATE_PACKETS, WINDOW_PACKETS, ReorderBuffer
from tests.fuzz.reach import Reach

headers = st.builds(
    lambda sequence, ssrc: bytes((0x80, 96)) + sequence.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big"),
    st.integers(0, 80) | st.integers(65_500, 65_535) | st.integers(0, 65_535),
    st.integers(0, 3),
)


def test_reorder_fuzz() -> None:
    reach = Reach("reorder buffer")

    @given(st.lists(st.tuples(st.lists(headers | st.binary(max_size=20), max_size=20), st.floats(0, 1)), max_size=20))
    def fuzz(reads: list[tuple[list[bytes], float]]) -> None:
        buffer, now, received, given_out = ReorderBuffer(), 0.0, 0, 0
        for packets, wait_s in reads:
            now += wait_s
            out = buffer.handle_deadline(now) + buffer.receive_untrusted(packets, now)
            received += len(packets)
            given_out += len(out)
            assert given_out <= received
            assert len(buffer._held) <= WINDOW_PACKETS
            assert len(buffer._late) <= MAX_LATE_PACKETS
            deadline = buffer.next_deadline()
            assert deadline is None or deadline > now
        reach.seen(given_out > 0)

    fuzz()
    reach.check()
