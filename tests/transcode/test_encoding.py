"""Which encoder is taken: hardware that proves itself, else software."""

import pytest

from camgate.transcode import encoding
from camgate.transcode.encoding import Wish, candidates, choose_encoder


def wish(hardware: str, target: str = "H264") -> Wish:
    return Wish(target, 2000, hardware, 1)


@pytest.mark.parametrize(
    ("hardware", "target", "names"),
    [
        ("auto", "H264", ["h264_nvenc", "h264_qsv", "h264_v4l2m2m", "libx264"]),
        ("qsv", "H264", ["h264_qsv", "libx264"]),
        ("off", "H264", ["libx264"]),
        ("auto", "VP8", ["libvpx"]),
    ],
)
def test_what_is_tried_and_in_which_order(hardware: str, target: str, names: list[str]) -> None:
    assert [name for name, _ in candidates(wish(hardware, target))] == names


def test_hardware_that_does_not_work_is_told_and_not_used() -> None:
    name, _, refused = choose_encoder(wish("v4l2m2m"))
    if name != "h264_v4l2m2m":  # a machine may have it
        assert name == "libx264"
        assert refused == [refused[0]]
        assert refused[0].startswith("encoder h264_v4l2m2m: ")


def test_an_encoder_that_passes_the_probe_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Software in the place of hardware: the probe does not know."""
    monkeypatch.setitem(encoding._HARDWARE, "qsv", encoding._SOFTWARE["H264"])  # type: ignore[index]
    name, options, refused = choose_encoder(wish("qsv"))
    assert (name, options, refused) == (*encoding._SOFTWARE["H264"], [])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"profile": "high", "tune": "zerolatency"}, "does not make Baseline"),
        ({"profile": "baseline"}, "keeps pictures back"),
        ({"profile": "no such"}, "encoder libx264: "),
    ],
)
def test_an_encoder_that_browsers_could_not_follow_is_not_used(
    options: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(encoding._HARDWARE, "qsv", ("libx264", {"preset": "fast", **options}))  # type: ignore[index]
    name, _, refused = choose_encoder(wish("qsv"))
    assert (name, len(refused)) == ("libx264", 1)
    assert reason in refused[0]
