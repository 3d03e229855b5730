import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtp.errors import RtpMalformed
from camgate.wire.rtp.packet import RtpPacket, build_rtp_header, parse_rtp_untrusted


@given(
    st.integers(0, 127),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.booleans(),
    st.binary(max_size=50),
)
def test_round_trip(payload_type: int, sequence: int, timestamp: int, ssrc: int, marker: bool, payload: bytes) -> None:
    data = build_rtp_header(payload_type, sequence, timestamp, ssrc, marker=marker) + payload
    assert parse_rtp_untrusted(data) == RtpPacket(marker, payload_type, sequence, timestamp, ssrc, payload)


def test_counters_are_cut_to_their_width() -> None:
    packet = parse_rtp_untrusted(build_rtp_header(96, 0x1_0001, 0x1_0000_0002, 3))
    assert (packet.sequence, packet.timestamp) == (1, 2)


def test_csrcs_extension_and_padding_are_skipped() -> None:
    data = bytes.fromhex("b2 60 0001 00000002 00000003") + bytes(8)
    data += bytes.fromhex("bede 0001 10ff0000") + b"payload" + bytes.fromhex("00 00 03")
    assert parse_rtp_untrusted(data).payload == b"payload"


@pytest.mark.parametrize(
    ("data", "defect"),
    [
        (bytes(11), "shorter than its header"),
        (bytes(12), "version 0"),
        (b"\x90" + bytes(13), "shorter than its extension header"),
        (b"\x90" + bytes(13) + b"\x00\x02" + bytes(4), "do not fit"),
        (b"\x82" + bytes(12), "do not fit"),
        (b"\xa0" + bytes(12) + b"\x09", "do not fit"),
    ],
)
def test_malformed(data: bytes, defect: str) -> None:
    with pytest.raises(RtpMalformed, match=defect) as caught:
        parse_rtp_untrusted(data)
    assert caught.value.size_bytes == len(data)
