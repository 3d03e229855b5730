"""Whatever a camera sends as H.264, the depacketiser goes on, and its memory stays bounded."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.errors import SpsMalformed
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.codec.h264_nal import NAL_FU_A, NAL_STAP_A
from camgate.wire.codec.h264_payload import packetize_h264
from camgate.wire.codec.h264_sets import H264ParameterSets
from camgate.wire.codec.h264_sps import MAX_SIDE_PIXELS, parse_sps_untrusted
from camgate.wire.rtp.packet import build_rtp_header
from tests.fakes.h264 import OTHER_PPS, OTHER_SPS, PPS, SPS, RtpWriter, key_nals, slice_nal
from tests.fuzz.reach import Reach

BODIES = st.binary(max_size=60) | st.sampled_from([SPS, PPS, OTHER_SPS, OTHER_PPS, slice_nal(key=True), slice_nal()])


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    body = draw(BODIES)
    kind = draw(st.sampled_from(["any", "fu", "stap", "byte stream"]))
    if kind == "fu":
        return bytes((0x60 | NAL_FU_A, draw(st.sampled_from([0x81, 0x85, 0x87, 0x01, 0x05, 0x41, 0x45, 0xC1])))) + body
    if kind == "stap":
        size = len(body) if draw(st.booleans()) else draw(st.integers(0, 100))
        return bytes((0x60 | NAL_STAP_A,)) + size.to_bytes(2, "big") + body
    if kind == "byte stream":
        return SPS + b"\x00\x00\x01" + body + b"\x00\x00\x00\x01" + draw(BODIES)
    return body


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Packets of a camera whose numbers, times and markers mostly make sense, often behind a sound key frame."""
    camera = RtpWriter(sequence=draw(st.integers(0, 0xFFFF)), ssrc=7)
    packets = camera.packets(key_nals()) if draw(st.booleans()) else []
    sequence, timestamp = camera.sequence, camera.timestamp
    for payload in draw(st.lists(payloads(), max_size=30)):
        timestamp += draw(st.sampled_from([0, 0, 3600, -3600]))
        header = build_rtp_header(
            96, sequence, timestamp, draw(st.sampled_from([7] * 10 + [8])), marker=draw(st.booleans())
        )
        sequence += draw(st.sampled_from([1] * 10 + [0, 2, -1, 5000]))
        packet = header + payload
        packets.append(packet if draw(st.integers(0, 15)) else draw(st.binary(max_size=30)))
    return packets


def test_depacketizer_fuzz() -> None:
    reach = Reach("H.264 depacketiser (frames out)")

    @given(streams(), st.lists(st.binary(max_size=30), max_size=3))
    def fuzz(packets: list[bytes], parameter_sets: list[bytes]) -> None:
        depacketizer = H264Depacketizer(parameter_sets)
        frames = []
        for packet in packets:
            frames += depacketizer.receive_packet_untrusted(packet, 1.0)
        reach.seen(bool(frames))
        for frame in frames:
            assert all(frame.nals)
            # Whatever comes out can be sent on.
            assert packetize_h264(frame.nals, 100)
        if frames:
            assert frames[0].is_key
        # And a sound stream is understood right after.
        sound = RtpWriter(sequence=0x4000, timestamp=10**9, ssrc=0x600D)
        out = [f for p in sound.packets(key_nals()) for f in depacketizer.receive_packet_untrusted(p, 2.0)]
        assert [list(frame.nals)[-1] for frame in out] == key_nals()[-1:]

    fuzz()
    reach.check()


@st.composite
def mutated_sps(draw: st.DrawFn) -> bytes:
    sps = bytearray(
        draw(st.sampled_from([SPS, OTHER_SPS, bytes.fromhex("6764001eacd940b024d08000000300800000190f8a14cb")]))
    )
    for _ in range(draw(st.integers(0, 3))):
        sps[draw(st.integers(1, len(sps) - 1))] = draw(st.integers(0, 255))
    return bytes(sps[: draw(st.integers(1, len(sps)))]) + draw(st.binary(max_size=5))


def test_sps_fuzz() -> None:
    reach = Reach("H.264 SPS")

    @given(mutated_sps() | st.binary(max_size=50).map(b"\x67".__add__) | st.binary(max_size=20))
    def fuzz(nal: bytes) -> None:
        try:
            info = parse_sps_untrusted(nal)
        except SpsMalformed as error:
            reach.seen("no SPS" not in error.defect)
        else:
            reach.seen(True)
            assert 0 < info.width <= MAX_SIDE_PIXELS
            assert 0 < info.height <= MAX_SIDE_PIXELS

    fuzz()
    reach.check()


def test_parameter_sets_fuzz() -> None:
    reach = Reach("H.264 parameter sets")
    sets = st.binary(max_size=40).map(b"\x68".__add__) | mutated_sps() | st.sampled_from([PPS, OTHER_PPS])

    @given(st.lists(sets, max_size=10), BODIES)
    def fuzz(nals: list[bytes], key_slice: bytes) -> None:
        known = H264ParameterSets()
        kept = [nal for nal in nals if known.remember_untrusted(nal)]
        known.note_promised()
        key = b"\x65" + key_slice
        complete = known.complete([key], key)
        reach.seen(bool(kept))
        if complete is not None:
            assert complete[-1] == key
            assert set(complete[:-1]) <= set(kept)

    fuzz()
    reach.check()
