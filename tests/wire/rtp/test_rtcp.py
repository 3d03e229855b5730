import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtp import rtcp
from camgate.wire.rtp.errors import RtcpMalformed

U32 = st.integers(0, 0xFFFFFFFF)
UNIX_S = 1_700_000_000.25

report_blocks = st.builds(
    rtcp.ReportBlock, U32, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), U32, U32, U32, U32
)


def test_sender_report_tells_the_time_and_the_cname() -> None:
    data = rtcp.build_sender_report(7, UNIX_S, 0x1_0000_0005, 10, 2000, "camgate")
    (report,) = rtcp.parse_rtcp_untrusted(data)
    assert isinstance(report, rtcp.SenderReport)
    assert (report.ssrc, report.rtp_timestamp, report.packet_count, report.octet_count) == (7, 5, 10, 2000)
    assert report.unix_time_s == pytest.approx(UNIX_S, abs=1e-6)
    assert b"\x01\x07camgate\x00" in data


@pytest.mark.parametrize("cname", ["", "a", "ab", "abc", "abcd"])
def test_source_description_ends_on_a_word_with_a_null(cname: str) -> None:
    data = rtcp.build_receiver_report(1, cname=cname)
    assert len(data) % 4 == 0
    assert data[-1] == 0
    assert int.from_bytes(data[10:12], "big") == len(data[8:]) // 4 - 1


@given(U32, st.lists(report_blocks, max_size=31))
def test_receiver_report_round_trip(ssrc: int, blocks: list[rtcp.ReportBlock]) -> None:
    parsed = rtcp.parse_rtcp_untrusted(rtcp.build_receiver_report(ssrc, blocks))
    assert parsed == [rtcp.ReceiverReport(ssrc, tuple(blocks))]


@given(U32, U32, st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=50, unique=True))
def test_nack_round_trip(sender: int, media: int, sequences: list[int]) -> None:
    (nack,) = rtcp.parse_rtcp_untrusted(rtcp.build_nack(sender, media, sequences))
    assert isinstance(nack, rtcp.Nack)
    assert (nack.sender_ssrc, nack.media_ssrc) == (sender, media)
    assert set(nack.sequences) == set(sequences)


def test_nack_packs_neighbours_across_the_wrap_into_one_item() -> None:
    data = rtcp.build_nack(1, 2, [65535, 0, 15])
    assert len(data) == 16
    (nack,) = rtcp.parse_rtcp_untrusted(data)
    assert isinstance(nack, rtcp.Nack)
    assert nack.sequences == (65535, 0, 15)


def test_a_huge_nack_is_cut() -> None:
    data = b"\x81\xcd\x3f\xff" + bytes(8) + b"\x00\x00\xff\xff" * 0x3FFD
    (nack,) = rtcp.parse_rtcp_untrusted(data)
    assert isinstance(nack, rtcp.Nack)
    assert len(nack.sequences) == rtcp.MAX_NACK_SEQUENCES


def test_a_compound_of_huge_nacks_is_cut() -> None:
    data = rtcp.build_nack(1, 2, range(1_020)) * 5 + rtcp.build_bye(1)
    packets = rtcp.parse_rtcp_untrusted(data)
    assert [type(packet) for packet in packets] == [rtcp.Nack] * 2


def test_a_compound_of_very_many_packets_is_cut() -> None:
    data = rtcp.build_picture_loss_indication(1, 2) * 100
    assert len(rtcp.parse_rtcp_untrusted(data)) == rtcp.MAX_COMPOUND_PACKETS
    assert rtcp.parse_rtcp_untrusted(bytes.fromhex("80cc0000") * 100 + data) == []


def test_key_frame_requests() -> None:
    fir = bytes.fromhex("84ce0004 00000001 00000000 00000009 05000000")
    data = rtcp.build_picture_loss_indication(1, 2) + fir
    assert rtcp.parse_rtcp_untrusted(data) == [
        rtcp.PictureLossIndication(1, 2),
        rtcp.FullIntraRequest(1, ((9, 5),)),
    ]


def test_remb() -> None:
    # Chromium's form: media SSRC 0, exponent 3, mantissa 0x2A0B0.
    data = bytes.fromhex("8fce0005 00000001 00000000") + b"REMB" + bytes.fromhex("010ea0b0 00000009")
    assert rtcp.parse_rtcp_untrusted(data) == [rtcp.Remb(1, 0x2A0B0 << 3, (9,))]


def test_bye_comes_behind_an_empty_report() -> None:
    assert rtcp.parse_rtcp_untrusted(rtcp.build_bye(5)) == [rtcp.ReceiverReport(5), rtcp.Bye((5,))]


def test_what_means_nothing_to_us_is_skipped() -> None:
    sdes_without_terminator = bytes.fromhex("81ca0002 00000001 01026162")
    app = bytes.fromhex("80cc0002 00000001") + b"name"
    unknown_feedback = bytes.fromhex("8fcd0002 00000001 00000002")
    other_layer_feedback = bytes.fromhex("8fce0003 00000001 00000002") + b"XXXX"
    data = sdes_without_terminator + app + unknown_feedback + other_layer_feedback
    assert rtcp.parse_rtcp_untrusted(data) == []


def test_padding_is_not_read() -> None:
    data = bytes.fromhex("a1cd0003 00000001 00000002 00000004")
    assert rtcp.parse_rtcp_untrusted(data) == [rtcp.Nack(1, 2, ())]


@pytest.mark.parametrize(
    "tail",
    [
        b"\x81",
        bytes.fromhex("81c90007 00000001"),
        bytes.fromhex("81c90001 00000001"),
        bytes.fromhex("41c90001 00000001"),
    ],
    ids=["no header", "cut", "block missing", "version"],
)
def test_a_damaged_tail_costs_only_itself(tail: bytes) -> None:
    assert rtcp.parse_rtcp_untrusted(rtcp.build_receiver_report(5) + tail) == [rtcp.ReceiverReport(5)]
    with pytest.raises(RtcpMalformed, match=f"of {len(tail)} bytes"):
        rtcp.parse_rtcp_untrusted(tail)


def test_round_trip_time() -> None:
    block = rtcp.ReportBlock(1, 0, 0, 0, 0, rtcp.compact_ntp(UNIX_S), int(0.5 * 65536))
    assert block.round_trip_s(UNIX_S + 0.62) == pytest.approx(0.12, abs=1e-3)
    # Clocks that differ by a hair must not show as a day.
    assert block.round_trip_s(UNIX_S + 0.4999) == 0.0
    assert rtcp.ReportBlock(1, 0, 0, 0, 0, 0, 0).round_trip_s(UNIX_S) is None
