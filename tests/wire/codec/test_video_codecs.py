import pytest

from camgate.base.errors import LocalError
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.codec.h265 import H265Depacketizer
from camgate.wire.codec.video_codecs import VIDEO_CODECS, packetize, packetize_for_browsers, video_depacketizer
from tests.fakes import h264, h265

CODECS = {"H264": (H264Depacketizer, h264), "H265": (H265Depacketizer, h265)}


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_each_codec_has_its_own_parts(codec: str) -> None:
    kind, fakes = CODECS[codec]
    assert isinstance(video_depacketizer(codec, [], 96, {}), kind)
    nals = [fakes.AUD, *fakes.key_nals(100)]
    assert len(packetize(codec, nals, 1000)) == 3
    assert len(packetize_for_browsers(codec, nals, 1000)) == 2


def test_what_we_make_of_vp8_is_only_for_browsers() -> None:
    assert packetize_for_browsers("VP8", (bytes(100),), 80) == [b"\x10" + bytes(50), bytes(51)]


@pytest.mark.parametrize("value", ["", "0", "3"])
def test_decoding_order_numbers_are_read_where_they_are_announced(value: str) -> None:
    camera = h265.H265Writer(with_don=value == "3")
    depacketizer = video_depacketizer("H265", [], None, {"sprop-max-don-diff": value} if value else {})
    packets = camera.packets(h265.key_nals())
    frames = [frame for packet in packets for frame in depacketizer.receive_packet_untrusted(packet, 1.0)]
    assert [list(frame.nals) for frame in frames] == [h265.key_nals()]


def test_another_codec_is_a_mistake_of_ours() -> None:
    with pytest.raises(LocalError, match="JPEG is none of H264, H265"):
        video_depacketizer("JPEG", [], None, {})
