"""Which streams are main and sub."""

import trio
from trio.testing import MockClock

from camgate.ingest.onvif import OnvifCamera
from camgate.ingest.onvif_streams import Channel, OnvifStream, channels_of, list_streams
from camgate.wire.onvif.address import split_address_untrusted
from camgate.wire.onvif.media import Profile
from tests.fakes.onvif_camera import FakeOnvif, FakeProfile


def stream(token: str, codec: str, width: int, source: str = "s", url: str | None = "") -> OnvifStream:
    profile = Profile(token=token, codec=codec, width=width, height=width // 2, source=source)
    return OnvifStream(profile, f"rtsp://c/{token}" if url == "" else url)


def test_the_largest_is_main_and_the_next_smaller_in_h264_is_sub() -> None:
    small, main, other = stream("small", "H264", 320), stream("main", "H265", 3840), stream("other", "H264", 640)
    middle = stream("middle", "H265", 1280)
    assert channels_of([small, main, other, middle]) == [Channel(main, other)]


def test_no_sub_stream() -> None:
    main = stream("main", "H264", 640)
    same = stream("same", "H264", 320, url=main.url)
    assert channels_of([main, same, stream("none", "H264", 320, url=None)]) == [Channel(main, None)]
    assert channels_of([]) == []


def test_each_input_of_a_recorder_is_a_channel() -> None:
    first, second = stream("a", "H264", 640, "1"), stream("b", "H264", 640, "2")
    assert channels_of([first, second]) == [Channel(first, None), Channel(second, None)]


async def test_streams_of_a_camera(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(
        FakeProfile("main", "rtsp://{host}/main"),
        FakeProfile("bad", "http://{host}/none"),
        FakeProfile("stills", "rtsp://{host}/stills", codec="JPEG"),
    )
    onvif = OnvifCamera(split_address_untrusted("192.0.2.7"), username=None, password=None, dial=camera.dial)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        await onvif.connect()
        assert [(each.profile.token, each.url) for each in await list_streams(onvif)] == [
            ("main", "rtsp://192.0.2.7/main"),
            ("bad", None),
        ]
        camera.faults["GetStreamUri"] = "ter:IncompleteConfiguration"
        assert [each.url for each in await list_streams(onvif)] == [None, None]
        nursery.cancel_scope.cancel()
