"""One camera under two names is noticed, however its URL is written; two cameras are not."""

from pathlib import Path

import pytest

from camgate.config.load import parse
from camgate.config.model import Settings
from camgate.config.twins import twin_in_words, twins


def settings(*urls: str, more: str = "") -> Settings:
    tables = "".join(f"[cameras.cam{at}]\nurl = '{url}'\n" for at, url in enumerate(urls))
    return parse(tables + more, {}, file="x", directory=Path())


@pytest.mark.parametrize(
    "other",
    [
        "rtsp://192.0.2.1:554/live?channel=1&subtype=0",
        "rtsp://192.0.2.1/live?subtype=0&channel=1",
        "rtsp://someone:else@192.0.2.1/live?channel=1&subtype=0",
        "RTSP://192.0.2.1/live/?channel=1&subtype=0",
        "rtsp://192.0.2.1/l%69ve?channel=1&subtype=0",
    ],
)
def test_the_same_stream_written_otherwise(other: str) -> None:
    cameras = settings("rtsp://192.0.2.1/live?channel=1&subtype=0", other).cameras
    assert list(twins(cameras)) == [("cam0", "cam1")]


@pytest.mark.parametrize(
    "other",
    [
        "rtsp://192.0.2.2/live?channel=1",
        "rtsp://192.0.2.1/live?channel=2",
        "rtsp://192.0.2.1:8554/live?channel=1",
        "rtsp://192.0.2.1/Live?channel=1",
        "rtsps://192.0.2.1/live?channel=1",
    ],
)
def test_another_stream(other: str) -> None:
    assert list(twins(settings("rtsp://192.0.2.1/live?channel=1", other).cameras)) == []


def test_names_and_addresses_in_any_case() -> None:
    cameras = settings(
        "rtsp://Cam.Example.org/a", "rtsp://cam.example.org.:554/a", "rtsp://[FD00::1]/", "rtsp://[fd00:0::1]"
    )
    assert list(twins(cameras.cameras)) == [("cam0", "cam1"), ("cam2", "cam3")]


def test_sub_streams_count_too() -> None:
    sub = "[cameras.cam1.sub]\nurl = 'rtsp://192.0.2.1/main'\n"
    [pair] = twins(settings("rtsp://192.0.2.1/main", "rtsp://192.0.2.1/other", more=sub).cameras)
    assert pair == ("cam0", "cam1/sub")
    assert twin_in_words(pair) == (
        "cameras.cam1.sub: is the same stream as cameras.cam0, so that the camera is connected to twice"
    )
    own = "[cameras.cam0.sub]\nurl = 'rtsp://192.0.2.1:554/main'\n"
    assert list(twins(settings("rtsp://192.0.2.1/main", more=own).cameras)) == [("cam0", "cam0/sub")]
