"""Whatever a camera sends as H.265, the depacketiser goes on, and its memory stays bounded."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.errors import SpsMalformed
from camgate.wire.codec.h265 import H265Depacketizer
from camgate.wire.codec.h265_payload import packetize_h265
from camgate.wire.codec.h265_sets import H265ParameterSets
from camgate.wire.codec.h265_sps import MAX_SIDE_PIXELS, parse_h265_sps_head_untrusted, parse_h265_sps_untrusted
from camgate.wire.rtp.packet import build_rtp_header
from tests.fakes.h265 import (
    B_FRAMES_SPS,
    CRA,
    MAIN10_SPS,
    OTHER_PPS,
    OTHER_SPS,
    PPS,
    RASL_R,
    SPS,
    VPS,
    H265Writer,
    aggregate,
    key_nals,
    slice_nal,
)
from tests.fuzz.reach import Reach

BODIES = st.binary(max_size=60) | st.sampled_from(
    [VPS, SPS, PPS, OTHER_SPS, OTHER_PPS, slice_nal(nal_type=CRA), slice_nal(nal_type=RASL_R), slice_nal()]
)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    body = draw(BODIES)
    kind = draw(st.sampled_from(["any", "fu", "ap", "byte stream"]))
    if kind == "fu":
        return bytes((0x62, 1, draw(st.sampled_from([0x81, 0x93, 0xA1, 0x01, 0x13, 0x41, 0x53, 0xC1])))) + body
    if kind == "ap":
        size = len(body) if draw(st.booleans()) else draw(st.integers(0, 100))
        return b"\x60\x01" + size.to_bytes(2, "big") + body + aggregate([draw(BODIES)])[2:]
    if kind == "byte stream":
        return SPS + b"\x00\x00\x01" + body + b"\x00\x00\x00\x01" + draw(BODIES)
    return body


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], bool]:
    """Packets of a camera whose numbers, times and markers mostly make sense, often behind a sound key frame.

    And whether they have decoding order numbers.
    """
    has_don = draw(st.sampled_from([False, False, True]))
    camera = H265Writer(sequence=draw(st.integers(0, 0xFFFF)), ssrc=7, with_don=has_don)
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
    return packets, has_don


def test_depacketizer_fuzz() -> None:
    reach = Reach("H.265 depacketiser (frames out)")

    @given(streams(), st.lists(st.binary(max_size=30), max_size=3), st.sampled_from([None, 96]))
    def fuzz(stream: tuple[list[bytes], bool], parameter_sets: list[bytes], payload_type: int | None) -> None:
        packets, has_don = stream
        depacketizer = H265Depacketizer(parameter_sets, has_don=has_don, payload_type=payload_type)
        frames = []
        for packet in packets:
            frames += depacketizer.receive_packet_untrusted(packet, 1.0)
        reach.seen(bool(frames))
        for frame in frames:
            assert all(frame.nals)
            # Whatever comes out can be sent on.
            assert packetize_h265(frame.nals, 100)
        if frames:
            assert frames[0].is_key
        # And a sound stream is understood right after.
        sound = H265Writer(sequence=0x4000, timestamp=10**9, ssrc=0x600D, with_don=has_don)
        out = [f for p in sound.packets(key_nals()) for f in depacketizer.receive_packet_untrusted(p, 2.0)]
        assert [list(frame.nals)[-1] for frame in out] == key_nals()[-1:]

    fuzz()
    reach.check()


@st.composite
def mutated_sps(draw: st.DrawFn) -> bytes:
    sps = bytearray(draw(st.sampled_from([SPS, OTHER_SPS, MAIN10_SPS, B_FRAMES_SPS])))
    for _ in range(draw(st.integers(0, 3))):
        sps[draw(st.integers(2, len(sps) - 1))] = draw(st.integers(0, 255))
    return bytes(sps[: draw(st.integers(1, len(sps)))]) + draw(st.binary(max_size=5))


def test_sps_fuzz() -> None:
    reach = Reach("H.265 SPS")

    @given(mutated_sps() | st.binary(max_size=80).map(SPS[:15].__add__) | st.binary(max_size=20))
    def fuzz(nal: bytes) -> None:
        try:
            info = parse_h265_sps_untrusted(nal)
        except SpsMalformed as error:
            reach.seen("no SPS" not in error.defect)
        else:
            reach.seen(True)
            assert 0 < info.width <= MAX_SIDE_PIXELS
            assert 0 < info.height <= MAX_SIDE_PIXELS
            # Whoever reads the whole of it reads the beginning of it, too.
            assert parse_h265_sps_head_untrusted(nal).sps_id == info.sps_id

    fuzz()
    reach.check()


def test_parameter_sets_fuzz() -> None:
    reach = Reach("H.265 parameter sets")
    sets = st.binary(max_size=40).map(b"\x44\x01".__add__) | mutated_sps() | st.sampled_from([VPS, PPS, OTHER_PPS])

    @given(st.lists(sets, max_size=10), BODIES)
    def fuzz(nals: list[bytes], key_slice: bytes) -> None:
        known = H265ParameterSets()
        kept = [nal for nal in nals if known.remember_untrusted(nal)]
        known.note_promised()
        key = b"\x26\x01" + key_slice
        complete = known.complete([key], key)
        reach.seen(bool(kept))
        if complete is not None:
            assert complete[-1] == key
            assert set(complete[:-1]) <= set(kept)

    fuzz()
    reach.check()
