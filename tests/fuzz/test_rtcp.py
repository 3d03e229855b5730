"""Whatever arrives as RTCP, only RtcpMalformed comes out, and one packet costs a bounded effort."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtp import rtcp
from camgate.wire.rtp.errors import RtcpMalformed
from tests.fuzz.reach import Reach

KINDS = st.sampled_from(
    [
        rtcp.SENDER_REPORT,
        rtcp.RECEIVER_REPORT,
        rtcp.SOURCE_DESCRIPTION,
        rtcp.BYE,
        204,
        rtcp.TRANSPORT_FEEDBACK,
        rtcp.PAYLOAD_FEEDBACK,
        207,
    ]
)
FORMATS = st.sampled_from([0, rtcp.PICTURE_LOSS, rtcp.FULL_INTRA_REQUEST, rtcp.APPLICATION_LAYER, 31])


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """One packet whose version is right, and whose length mostly is."""
    kind, count_or_format = draw(KINDS), draw(FORMATS)
    body = draw(st.binary(max_size=60))
    if kind == rtcp.PAYLOAD_FEEDBACK and count_or_format == rtcp.APPLICATION_LAYER:
        body = body[:8].ljust(8, b"\x00") + b"REMB" + body[8:]
    body += bytes(-len(body) % 4)
    words = len(body) // 4 if draw(st.integers(0, 9)) else draw(st.integers(0, 0xFFFF))
    padding = 0x20 if draw(st.integers(0, 4)) == 0 else 0
    return bytes((0x80 | padding | count_or_format, kind)) + words.to_bytes(2, "big") + body


compounds = st.lists(packets() | st.just(rtcp.build_receiver_report(1)), min_size=1, max_size=5).map(b"".join)


def test_rtcp_fuzz() -> None:
    reach = Reach("RTCP")

    @given(compounds | st.binary(max_size=100))
    def fuzz(data: bytes) -> None:
        try:
            parsed = rtcp.parse_rtcp_untrusted(data)
        except RtcpMalformed:
            reach.seen(False)
            return
        reach.seen(True)
        for packet in parsed:
            if isinstance(packet, rtcp.Nack):
                assert len(packet.sequences) <= rtcp.MAX_NACK_SEQUENCES
            elif isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                for block in packet.reports:
                    assert block.round_trip_s(1.7e9) is None or block.round_trip_s(1.7e9) >= 0  # type: ignore[operator]

    fuzz()
    reach.check()
