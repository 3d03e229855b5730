"""Numbers without gaps, and reports that tell where the media clock stands."""

import pytest

from camgate.serve.rtsp.layout import FrameLayout
from camgate.serve.rtsp.sender import RtpSender
from camgate.serve.rtsp.timing import SessionClock, Timeline
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import Bye, SenderReport, parse_rtcp_untrusted

START = 2**32 - 100
BEGAN_S = 86_400
EPOCH_S = 1_790_000_000.0


def frame(number: int) -> Frame:
    """Return a picture of a 25 fps stream, on a machine that has run for a day and has skipped an hour."""
    return Frame((), BEGAN_S * 90_000 + number * 3600, 3600 + BEGAN_S + number / 25, number == 0)


def layout(packets: int) -> FrameLayout:
    return FrameLayout([b"payload"] * packets, 96, is_interleaved=True)


@pytest.fixture
def sender() -> RtpSender:
    timeline, clock = Timeline(START, 90_000), SessionClock(EPOCH_S)
    return RtpSender(ssrc=7, sequence=65_530, timeline=timeline, clock=clock, clock_hz=90_000, cname="front")


def test_numbers_begin_as_announced_and_wrap(sender: RtpSender) -> None:
    numbered = [sender.number(frame(n), layout(4), reorders=False) for n in range(3)]
    assert numbered == [(65_530, START), (65_534, 3500), (2, 7100)]
    assert (sender.packet_count, sender.octet_count) == (12, 84)


def test_b_frames_have_the_time_at_which_they_are_shown(sender: RtpSender) -> None:
    b_frame = frame(3)
    b_frame.display_time = frame(1).rtp_time
    sender.number(frame(0), layout(1), reorders=True)
    assert sender.number(b_frame, layout(1), reorders=True)[1] == 3500
    assert sender.number(b_frame, layout(1), reorders=False)[1] == 3 * 3600 - 100


def test_a_report_says_where_the_media_clock_stands(sender: RtpSender) -> None:
    for number in (0, 25):
        sender.number(frame(number), layout(2), reorders=False)
    now = 3600 + BEGAN_S + 1.5
    (report,) = parse_rtcp_untrusted(sender.report(now))
    assert isinstance(report, SenderReport)
    # The frame of 1 s stands 90,000 ticks after the first; half a second has passed since.
    assert report.rtp_timestamp == (START + 135_000) % 2**32
    assert report.unix_time_s == pytest.approx(EPOCH_S + now, abs=1e-6)
    assert (report.packet_count, report.octet_count) == (4, 28)


def test_a_skew_puts_a_track_later_beside_the_others(sender: RtpSender) -> None:
    sender.number(frame(0), layout(1), reorders=False)
    reports = [parse_rtcp_untrusted(sender.report(3600.0 + BEGAN_S, skew_s=skew_s))[0] for skew_s in (0.0, 0.1)]
    plain, skewed = (report.rtp_timestamp for report in reports if isinstance(report, SenderReport))
    # What is sent under the same timestamp belongs to a moment 0.1 s later.
    assert (plain - skewed) % 2**32 == 9000


def test_goodbye_names_the_source(sender: RtpSender) -> None:
    assert parse_rtcp_untrusted(sender.goodbye())[-1] == Bye((7,))
