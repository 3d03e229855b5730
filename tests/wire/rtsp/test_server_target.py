"""What clients mean by their URLs."""

import pytest

from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.server_target import aggregate_url, path_named, query_of


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        ("rtsp://host/front", "front", ""),
        ("rtsp://user:pass@host:8554/front/?start=key", "front", "start=key"),
        ("rtsp://host/front%20door/track0?a=1?b", "front door/track0", "a=1?b"),
        ("rtsp://host", "", ""),
        ("rtsp://host/K%C3%BCche%20hinten/sub", "K\u00fcche hinten/sub", ""),
        ("rtsp://host/Ku%CC%88che", "K\u00fcche", ""),
        ("rtsp://host/K\u00c3\u00bcche", "K\u00fcche", ""),  # its bytes, as FFmpeg sends what was typed
        ("rtsp://host/K\u00fcche", "K\u00fcche", ""),  # a byte of latin-1
    ],
)
def test_path_and_query(url: str, path: str, query: str) -> None:
    assert (path_named(url), query_of(url)) == (path, query)


def test_a_presentation_is_named_by_the_host_that_was_asked() -> None:
    assert aggregate_url("rtsp://u:p@[::1]:8554/x?y", "front door") == "rtsp://[::1]:8554/front%20door/"
    assert aggregate_url("rtsp://host/x", "K\u00fcche") == "rtsp://host/K%C3%BCche/"


def test_what_is_no_url() -> None:
    with pytest.raises(MalformedUrl):
        path_named("*")
