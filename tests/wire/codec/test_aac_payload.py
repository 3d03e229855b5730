"""AAC frames in packets are what camgate's own reader makes frames of again."""

import pytest

from camgate.wire.codec.aac import AacReader, AuHeaders
from camgate.wire.codec.aac_payload import FMTP, MAX_AU_BYTES, packetize_aac
from camgate.wire.sdp.media import parse_parameters_untrusted


@pytest.mark.parametrize("size", [1, 300, 1396, 1397, 5000, MAX_AU_BYTES])
def test_a_frame_survives_its_packets(size: int) -> None:
    unit = bytes(number * 7 % 251 for number in range(size))
    payloads = packetize_aac(unit, 1400)
    assert max(map(len, payloads)) <= 1400
    reader = AacReader(AuHeaders.of_fmtp_untrusted(parse_parameters_untrusted(FMTP + "1190")), 1024)
    pieces = [
        piece
        for index, payload in enumerate(payloads)
        for piece in reader.read_untrusted(payload, 9, is_marked=index == len(payloads) - 1, follows_gap=False)
    ]
    assert pieces == [(unit, 9)]


def test_what_cannot_be_said_is_left_out() -> None:
    assert packetize_aac(bytes(MAX_AU_BYTES + 1), 1400) == []
