"""Frames laid out for encryption and GSO."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.serve.datagrams import MAX_SEGMENTS
from camgate.serve.webrtc.packets import GCM_TAG_BYTES, FrameBuffer, HeaderProfile, PacketizedFrame
from camgate.wire.rtp.packet import parse_rtp_untrusted

SSRC = 77


def _packets(buffer: FrameBuffer) -> list[bytes]:
    """Cut the batches into datagrams as the kernel would."""
    datagrams = []
    for (view,), segment_bytes, count in buffer.batches:
        data = bytes(view)
        cut = [data[i : i + segment_bytes] for i in range(0, len(data), segment_bytes)] if segment_bytes else [data]
        assert len(cut) == count
        datagrams += cut
    return datagrams


@given(st.lists(st.integers(1, 1172), min_size=1, max_size=200))
def test_batches_cut_into_the_packets(sizes: list[int]) -> None:
    frame = PacketizedFrame([bytes([i & 0xFF]) * size for i, size in enumerate(sizes)], 65_530, 90_000, is_key=True)
    buffer = FrameBuffer(frame, HeaderProfile(102, 5), SSRC)
    for payload, _, place in buffer.slots:
        place[: len(payload)] = payload
    datagrams = _packets(buffer)
    assert [len(d) for d in datagrams] == [
        12 + (8 if i == 0 else 0) + size + GCM_TAG_BYTES for i, size in enumerate(sizes)
    ]
    for i, datagram in enumerate(datagrams):
        packet = parse_rtp_untrusted(datagram[:-GCM_TAG_BYTES])
        assert packet.sequence == (65_530 + i) & 0xFFFF
        assert packet.payload_type == 102
        assert packet.timestamp == 90_000
        assert packet.ssrc == SSRC
        assert bytes(packet.payload) == frame.payloads[i]
        assert packet.marker == (i == len(sizes) - 1)
    assert all(count <= MAX_SEGMENTS for _, _, count in buffer.batches)


def test_a_frame_of_equal_fragments_is_one_call() -> None:
    frame = PacketizedFrame([bytes(1000)] * 8 + [bytes(600)], 1, 0, is_key=False)
    assert [(segment, count) for _, segment, count in FrameBuffer(frame, HeaderProfile(96), SSRC).batches] == [
        (1028, 9)
    ]


def test_renumbering_changes_sequence_numbers_only() -> None:
    frame = PacketizedFrame([b"a", b"b"], 65_535, 5, is_key=False)
    buffer = FrameBuffer(frame, HeaderProfile(96), SSRC)
    before = _packets(buffer)
    buffer.renumber(-3)
    after = _packets(buffer)
    assert [int.from_bytes(d[2:4], "big") for d in after] == [65_532, 65_533]
    assert [d[:2] + d[4:] for d in before] == [d[:2] + d[4:] for d in after]
    buffer.renumber(0)
    assert _packets(buffer) == before


def test_only_a_key_frames_first_packet_asks_for_low_delay() -> None:
    profile = HeaderProfile(96, 6)
    key = PacketizedFrame([b"sps", b"idr"], 1, 0, is_key=True)
    assert key.header(0, profile, SSRC, 0)[12:].hex() == "bede000162000000"
    assert len(key.header(1, profile, SSRC, 0)) == 12
    assert len(PacketizedFrame([b"p"], 1, 0, is_key=False).header(0, profile, SSRC, 0)) == 12
    assert len(key.header(0, HeaderProfile(96), SSRC, 0)) == 12


def test_pictures_with_sound_may_wait_for_it() -> None:
    frame = PacketizedFrame([b"key"], 0, 0, is_key=True)
    # RFC 8285: id 5, three bytes; 12 bits each of the least and the most delay, in units of 10 ms.
    expected = {HeaderProfile(96, 5): "52000000", HeaderProfile(96, 5, has_sound=True): "52000032"}
    for profile, element in expected.items():
        assert frame.header(0, profile, SSRC, 0)[16:20].hex() == element
    assert len(frame.header(0, HeaderProfile(96, has_sound=True), SSRC, 0)) == 12
