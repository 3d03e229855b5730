"""Whatever arrives as RTP, only RtpMalformed comes out."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtp.errors import RtpMalformed
from camgate.wire.rtp.packet import parse_rtp_untrusted, payload_bounds_untrusted
from tests.fuzz.reach import Reach


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """A header of version 2 with any flags, and an extension and padding that may not fit."""
    first = 0x80 | draw(st.integers(0, 0x3F))
    fixed = bytes((first,)) + draw(st.binary(min_size=11, max_size=11))
    csrcs = bytes(4 * (first & 0x0F)) if draw(st.integers(0, 9)) else b""
    words = draw(st.integers(0, 5))
    extension = b"\xbe\xde" + words.to_bytes(2, "big") + bytes(4 * words) if first & 0x10 else b""
    padding = bytes((draw(st.integers(0, 20)),)) if first & 0x20 else b""
    return fixed + csrcs + extension + draw(st.binary(max_size=40)) + padding


def test_rtp_fuzz() -> None:
    reach = Reach("RTP")

    @given(packets() | st.binary(max_size=60))
    def fuzz(data: bytes) -> None:
        try:
            start, end = payload_bounds_untrusted(data)
        except RtpMalformed as error:
            reach.seen("fit" in error.defect)
        else:
            reach.seen(True)
            assert 12 <= start <= end <= len(data)
            assert parse_rtp_untrusted(data).payload == data[start:end]

    fuzz()
    reach.check()
