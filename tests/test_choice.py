"""What a viewer is sent: for each browser's offer and each camera."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from camgate.choice import PROOF_S, SUB_STREAM_WAIT_S, Choice, Way, choose
from camgate.relay.errors import CameraOffline, NoCommonCodec, TooManyTranscoders
from camgate.relay.source import CameraState, Source
from camgate.relay.stream import Stream
from camgate.wire.codec.format import VideoFormat
from camgate.wire.sdp.answer import wanted_video
from camgate.wire.sdp.offer import OfferedMedia, parse_offer_untrusted
from tests.fakes.frames import H265_FORMAT, VIDEO_FORMAT

OFFERS = Path(__file__).parent / "fixtures" / "offers"
CHROME, SAFARI, CHROMIUM = "chrome-144-macos", "safari-18-macos", "chromium-156-linux"
WITHOUT_H264 = "firefox-153-linux-without-h264"


def offered(browser: str) -> OfferedMedia:
    media = wanted_video(parse_offer_untrusted((OFFERS / f"{browser}.sdp").read_text()))
    assert media is not None
    return media


def camera(video: VideoFormat | None, sub: VideoFormat | None = None, *, has_sub: bool = False) -> Source:
    source = live(Source("front"), video)
    if sub is not None or has_sub:
        source.attach_sub(live(Source("front/sub"), sub))
    return source


def live(source: Source, video: VideoFormat | None) -> Source:
    if video is not None:
        source.set_format(video)
        source.set_state(CameraState.LIVE)
    return source


async def chosen(source: Source, browser: str) -> Choice:
    return await choose(source, offered(browser), 0)


B_FRAMES = replace(VIDEO_FORMAT, may_reorder=True)
HIGH_10 = replace(VIDEO_FORMAT, profile_level_id="6e0028")
MAIN10 = replace(H265_FORMAT, profile_id=2)
UHD = replace(H265_FORMAT, level_id=153, width=3840, height=2160)


@pytest.mark.parametrize(
    ("browser", "video", "payload_type"),
    [
        (CHROME, VIDEO_FORMAT, None),
        (CHROME, H265_FORMAT, 49),
        (CHROME, MAIN10, 51),
        (CHROME, UHD, 49),
        (SAFARI, VIDEO_FORMAT, 98),
        (SAFARI, H265_FORMAT, 104),
        (CHROMIUM, VIDEO_FORMAT, None),
    ],
)
async def test_what_the_browser_offers_is_passed_through(
    browser: str, video: VideoFormat, payload_type: int | None
) -> None:
    source = camera(video, VIDEO_FORMAT)
    choice = await chosen(source, browser)
    assert (choice.stream, choice.way, choice.codec.name) == (source.stream, Way.AS_IS, video.codec)
    if payload_type is not None:
        assert choice.codec.payload_type == payload_type
    assert choice.misfit(video) is None


@pytest.mark.parametrize(
    ("browser", "video", "why"),
    [
        (CHROMIUM, H265_FORMAT, "does not take the main stream's H.265 Main"),
        (SAFARI, MAIN10, "does not take the main stream's H.265 Main 10"),
        (SAFARI, UHD, "does not take the main stream's H.265 Main"),
        (CHROME, HIGH_10, "does not take the main stream's H.264 High 10"),
        (CHROME, B_FRAMES, "the main stream has B-frames"),
        (CHROME, replace(H265_FORMAT, may_reorder=True), "the main stream has B-frames"),
    ],
)
async def test_else_the_sub_stream_is_taken(
    browser: str, video: VideoFormat, why: str, autojump_clock: MockClock
) -> None:
    source = camera(video, VIDEO_FORMAT)
    choice = await chosen(source, browser)
    assert source.sub is not None
    assert (choice.stream, choice.way, choice.codec.name) == (source.sub.stream, Way.SUB_STREAM, "H264")
    assert why in choice.why


async def test_a_sub_stream_on_demand_is_woken_and_waited_for(autojump_clock: MockClock) -> None:
    source = camera(H265_FORMAT, has_sub=True)
    sub = source.sub
    assert sub is not None
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def dial() -> None:
            await sub.wants.wait_wanted()
            await trio.sleep(1)
            live(sub, VIDEO_FORMAT)

        choice = await chosen(source, CHROMIUM)
        assert choice.stream is sub.stream
        assert trio.current_time() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("browser", "source", "words"),
    [
        (
            CHROMIUM,
            lambda: camera(H265_FORMAT),
            "The camera sends H.265 Main, the browser takes VP8, VP9, H264, AV1; set the camera to H.264, or name a "
            'stream of it in H.264: [cameras.front.sub] url = "rtsp://…", or '
            "allow transcoding (transcode.max_streams is 0).",
        ),
        (
            CHROMIUM,
            lambda: camera(B_FRAMES),
            "The camera sends H.264 Constrained Baseline with B-frames, the browser takes VP8, VP9, H264, AV1; turn "
            'B-frames off in the camera, or name a stream of it in H.264: [cameras.front.sub] url = "rtsp://…", or '
            "allow transcoding (transcode.max_streams is 0).",
        ),
        (
            CHROMIUM,
            lambda: camera(H265_FORMAT, MAIN10),
            "The camera sends H.265 Main, the browser takes VP8, VP9, H264, AV1; set its sub-stream, which is H.265 "
            "Main 10, to H.264 without B-frames, or set the camera to H.264, or allow transcoding "
            "(transcode.max_streams is 0).",
        ),
        (
            CHROMIUM,
            lambda: camera(H265_FORMAT, has_sub=True),
            "look after its sub-stream, which gives no pictures (it is being connected, and has sent no picture yet)",
        ),
        (
            WITHOUT_H264,
            lambda: camera(VIDEO_FORMAT),
            "The camera sends H.264 Constrained Baseline, the browser takes VP8, VP9, AV1; use a browser that decodes "
            "H.264",
        ),
        (WITHOUT_H264, lambda: camera(H265_FORMAT, VIDEO_FORMAT), "use a browser that decodes H.265"),
    ],
)
async def test_a_refusal_says_what_would_help(
    browser: str, source: type[Source], words: str, autojump_clock: MockClock
) -> None:
    with pytest.raises(NoCommonCodec) as refused:
        await chosen(source(), browser)
    assert words in str(refused.value)
    assert trio.current_time() <= SUB_STREAM_WAIT_S + PROOF_S


class Deriver:
    """Makes streams that nobody fills, unless it is full."""

    def __init__(self, *, is_full: bool = False) -> None:
        self.is_full = is_full
        self.made: list[tuple[Stream, str]] = []

    def derive(self, source: Stream, target: str) -> Stream:
        if self.is_full:
            raise TooManyTranscoders(4, retry_after_s=10)
        self.made.append((source, target))
        return Stream(source.name)


@pytest.mark.parametrize(
    ("browser", "video", "target", "why"),
    [
        (CHROMIUM, H265_FORMAT, "H264", "transcoded from H.265 Main, because this browser does not take the main"),
        (CHROME, B_FRAMES, "H264", "Baseline with B-frames, because the main stream has B-frames"),
        (SAFARI, UHD, "H264", "because this browser does not take the main stream's H.265 Main"),
        (WITHOUT_H264, VIDEO_FORMAT, "VP8", "does not take the main stream's H.264 Constrained Baseline"),
        (WITHOUT_H264, H265_FORMAT, "VP8", "H.265 Main and offers no H.264"),
        (WITHOUT_H264, B_FRAMES, "VP8", "has B-frames and offers no H.264"),
    ],
)
async def test_what_no_stream_of_the_camera_is_good_for_is_transcoded(
    browser: str, video: VideoFormat, target: str, why: str, autojump_clock: MockClock
) -> None:
    source, deriver = camera(video), Deriver()
    choice = await choose(source, offered(browser), 0, deriver)
    assert deriver.made == [(source.stream, target)]
    assert (choice.source, choice.way, choice.codec.name) == (source, Way.TRANSCODED, target)
    assert choice.stream is not source.stream
    assert why in choice.why
    made = VideoFormat(codec=target, sps=b"", pps=b"", profile_level_id="42c01f", width=64, height=48, fps=25)
    assert choice.misfit(made) is None


async def test_nothing_is_transcoded_that_can_be_passed_through(autojump_clock: MockClock) -> None:
    deriver = Deriver()
    for browser, source in ((CHROME, camera(H265_FORMAT)), (CHROMIUM, camera(H265_FORMAT, VIDEO_FORMAT))):
        await choose(source, offered(browser), 0, deriver)
    assert deriver.made == []


async def test_a_machine_that_transcodes_all_it_may_says_so(autojump_clock: MockClock) -> None:
    with pytest.raises(TooManyTranscoders):
        await choose(camera(H265_FORMAT), offered(CHROMIUM), 0, Deriver(is_full=True))


async def test_a_level_above_the_declared_one_is_better_than_nothing(autojump_clock: MockClock) -> None:
    choice = await chosen(camera(UHD), SAFARI)
    assert (choice.way, choice.codec.payload_type) == (Way.AS_IS, 104)
    assert "although the browser declares a lower level" in choice.why


async def test_a_camera_that_is_away_is_said_to_be() -> None:
    with pytest.raises(CameraOffline):
        await chosen(camera(None, VIDEO_FORMAT), CHROMIUM)


@asynccontextmanager
async def disproved_after(source: Source, seconds: float) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def disprove() -> None:
            await trio.sleep(seconds)
            source.set_format(VIDEO_FORMAT)

        yield


async def test_b_frames_that_are_only_claimed_are_waited_for_of_a_new_camera(autojump_clock: MockClock) -> None:
    source = camera(B_FRAMES)
    async with disproved_after(source, PROOF_S - 0.5):
        assert (await chosen(source, CHROMIUM)).way is Way.AS_IS
    # But not of one that had its time to show it.
    source.set_format(replace(B_FRAMES, sps=b"another"))
    await trio.sleep(PROOF_S)
    before_s = trio.current_time()
    with pytest.raises(NoCommonCodec):
        await chosen(source, CHROMIUM)
    assert trio.current_time() - before_s < 0.1


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (VIDEO_FORMAT, H265_FORMAT, "the camera sends H.265 Main now: connect again"),
        (H265_FORMAT, VIDEO_FORMAT, "the camera sends H.264 Constrained Baseline now: connect again"),
        (H265_FORMAT, MAIN10, "the camera sends H.265 Main 10 now: connect again"),
        (VIDEO_FORMAT, B_FRAMES, "B-frames now"),
        (VIDEO_FORMAT, replace(VIDEO_FORMAT, profile_level_id="640028", width=1920), None),
        (H265_FORMAT, UHD, None),
    ],
)
async def test_a_format_that_no_longer_fits_is_named(
    before: VideoFormat, after: VideoFormat, words: str | None
) -> None:
    choice = await chosen(camera(before), CHROME)
    reason = choice.misfit(after)
    assert words in str(reason) if words else reason is None
