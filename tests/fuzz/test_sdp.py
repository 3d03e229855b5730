"""Whatever stands in a session description, parsing it raises MalformedSdp or nothing."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.sdp.media import (
    decode_parameter_sets_untrusted,
    parse_parameters_untrusted,
    payload_formats_untrusted,
)
from camgate.wire.sdp.session import MalformedSdp, parse_sdp_untrusted
from tests.fuzz.mutate import spoiled
from tests.fuzz.reach import Reach

CAMERA = b"""v=0\r
o=- 1109162014219182 1109162014219182 IN IP4 0.0.0.0\r
s=Media Presentation\r
c=IN IP4 0.0.0.0\r
t=0 0\r
a=control:*\r
m=video 0 RTP/AVP 96\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z00AKY2NQDwBE/LgLcBDQECA,aO44gA==\r
m=audio 0 RTP/AVP 97 8\r
a=rtpmap:97 opus/48000/1\r
a=fmtp:97 DecoderTag=h3c-v3 RTCP=0\r
"""
TOKENS = [b"m=", b"a=", b"a=rtpmap:", b"a=fmtp:", b"a=rtpmap:8 PCMU/", b"=\t", b"\n", b"AAAAAQ"]


def test_descriptions() -> None:
    with Reach("session description") as reach:

        @given(spoiled(CAMERA, TOKENS) | st.binary(max_size=60))
        def fuzz(data: bytes) -> None:
            try:
                description = parse_sdp_untrusted(data)
            except MalformedSdp:
                reach.seen(False)
                return
            for media in description.media:
                for payload in payload_formats_untrusted(media):
                    assert 0 <= payload.payload_type < 128
                    assert payload.clock_rate > 0
                    assert payload.channels > 0
            if all(media.protocol for media in description.media):
                assert parse_sdp_untrusted(str(description)) == description
            reach.seen(True)

        fuzz()


def test_parameters() -> None:
    valid = b"profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z00AKY2NQDwBE/LgLcBDQECA,aO44gA=="
    with Reach("format parameters") as reach:

        @given(spoiled(valid, [b"; ", b" a=", b"AAAAAWc", b","]))
        def fuzz(data: bytes) -> None:
            text = data.decode("latin-1")
            parameters = parse_parameters_untrusted(text)
            sets = decode_parameter_sets_untrusted(parameters.get("sprop-parameter-sets", text))
            assert all(nal and nal[-1] != 0 for nal in sets)
            reach.seen(len(sets) > 0)

        fuzz()
