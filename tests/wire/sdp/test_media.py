import time

import pytest

from camgate.wire.sdp.media import (
    PayloadFormat,
    decode_parameter_sets_untrusted,
    parse_parameters_untrusted,
    payload_formats_untrusted,
)
from camgate.wire.sdp.session import parse_sdp_untrusted


def formats(*lines: str) -> list[PayloadFormat]:
    return list(payload_formats_untrusted(parse_sdp_untrusted("\n".join(lines)).media[0]))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"], (96, "H264", 90000, 1)),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 h264/90000 "], (96, "H264", 90000, 1)),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96\tH264 / 90000"], (96, "H264", 90000, 1)),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264"], (96, "H264", 90000, 1)),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/0"], (96, "H264", 90000, 1)),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:97 H264/90000"], (96, "", 90000, 1)),
        (["m=video 0 RTP/AVP 35", "a=rtpmap:35 H264/90000"], (35, "H264", 90000, 1)),
        (["m=video 0 RTP/AVP 26"], (26, "JPEG", 90000, 1)),
        (["m=audio 0 RTP/AVP 0"], (0, "PCMU", 8000, 1)),
        (["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/0"], (8, "PCMA", 8000, 1)),
        (["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMU/8000"], (8, "PCMA", 8000, 1)),
        (["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/16000/2"], (8, "PCMA", 16000, 2)),
        (["m=audio 0 RTP/AVP 0", "a=rtpmap:0 MPEG4-GENERIC/16000/1"], (0, "MPEG4-GENERIC", 16000, 1)),
        (["m=audio 0 RTP/AVP 10"], (10, "L16", 44100, 2)),
        (["m=audio 0 RTP/AVP 97", "a=rtpmap:97 opus/48000/1"], (97, "OPUS", 48000, 2)),
        (["m=audio 0 RTP/AVP 97", "a=rtpmap:97 G726-32"], (97, "G726-32", 8000, 1)),
        (["m=audio 0 RTP/AVP 97", "a=rtpmap:", "a=rtpmap:97"], (97, "", 8000, 1)),
    ],
)
def test_formats(lines: list[str], expected: tuple[int, str, int, int]) -> None:
    (only,) = formats(*lines)
    assert (only.payload_type, only.codec, only.clock_rate, only.channels) == expected


def test_formats_keep_the_order_of_preference_and_their_own_parameters() -> None:
    first, second = formats(
        "m=video 9 UDP/TLS/RTP/SAVPF 102 x 96 128 1000",
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:102 H264/90000",
        "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f",
        "a=fmtp:96",
    )
    assert (first.codec, first.parameters) == ("H264", {"packetization-mode": "1", "profile-level-id": "42e01f"})
    assert (second.codec, second.parameters) == ("VP8", {})


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        (" ; ;", {}),
        ("packetization-mode=1; Profile-Level-Id=TeAo;", {"packetization-mode": "1", "profile-level-id": "TeAo"}),
        ("DecoderTag=h3c-v3 RTCP=0", {"decodertag": "h3c-v3", "rtcp": "0"}),
        ("a=1;a=2", {"a": "1"}),
        ("useinbandfec", {"useinbandfec": ""}),
        ("=x;a=b", {"a": "b"}),
        ("0-15", {"0-15": ""}),
        ("sprop-parameter-sets=Z0I=, aM48gA==;x=1", {"sprop-parameter-sets": "Z0I=, aM48gA==", "x": "1"}),
        ("mode=AAC-hbr;\tconfig=1188", {"mode": "AAC-hbr", "config": "1188"}),
    ],
)
def test_parameters(text: str, parameters: dict[str, str]) -> None:
    assert parse_parameters_untrusted(text) == parameters


def test_parameters_of_many_spaces_cost_linear_time() -> None:
    started = time.process_time()
    parse_parameters_untrusted("a" + " " * 200_000 + "b")
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("text", "nals"),
    [
        ("Z0IAHg==,aM48gA==", ["6742001e", "68ce3c80"]),
        (" Z0IAHg , aM48gA ", ["6742001e", "68ce3c80"]),
        ("AAAAAWdCAB4=", ["6742001e"]),
        ("AAABZ0IAHgAAAAFozjyA", ["6742001e", "68ce3c80"]),
        ("Z0IAHgAAAAE=", ["6742001e"]),
        ("Z0IAHgAA", ["6742001e"]),
        ("Z", []),
        ("%%%%,é", []),
        (",,", []),
        ("AAAAAQ==", []),
    ],
)
def test_parameter_sets(text: str, nals: list[str]) -> None:
    assert [nal.hex() for nal in decode_parameter_sets_untrusted(text)] == nals


def test_each_payload_type_is_read_once() -> None:
    """The cost follows the size of the description, not its square: a camera's 256 kB must not stop all others."""
    lines = ["m=video 0 RTP/AVP" + " 96 97" * 20_000, *["a=rtpmap:98 H264/90000"] * 5_000]
    started = time.process_time()
    assert [payload.payload_type for payload in formats(*lines)] == [96, 97]
    assert time.process_time() - started < 3.0  # a minute when each number is looked up in each line
