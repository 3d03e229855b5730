"""What there is to say of one camera or viewer, as labels and short texts, most important first. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from camgate.tui import words
from camgate.tui.facts import LIVE, Camera, Viewer, number, text


def heading_of(subject: Camera | Viewer) -> str:
    """Return what the details are of."""
    if isinstance(subject, Viewer):
        return f"{subject.id} watches {subject.camera}"
    return subject.title if subject.title == subject.name else f"{subject.name}: {subject.title}"


def details_of(subject: Camera | Viewer) -> list[tuple[str, str]]:
    """Return what is known."""
    details = _of_viewer(subject) if isinstance(subject, Viewer) else _of_camera(subject)
    return [(label, value) for label, value in details if value]


def _of_camera(camera: Camera) -> Iterator[tuple[str, str]]:
    told = camera.facts
    yield "state", camera.state + _in_brackets(text(told.get("demand"))) + _since(camera)
    yield "why", camera.reason
    yield "needs attention", text(told.get("needs_attention"))
    profile = text(told.get("profile"))
    frames = ", B-frames" if told.get("has_b_frames") is True else ""
    yield "video", " ".join(part for part in (camera.codec, profile, camera.size) if part) + frames
    expected = words.plain(number(told.get("expected_fps")))
    yield "frames", f"{words.plain(camera.fps, 1)} fps" + (f" of {expected}" if expected else "") if camera.fps else ""
    yield "bit rate", words.bits(camera.bitrate_bps)
    yield "frame age", words.span(camera.frame_age_s)
    yield "reconnects", str(camera.reconnects)
    yield "viewers", f"{_count(told, 'viewers')} in browsers, {_count(told, 'rtsp_clients')} by RTSP"
    key_frame_age = words.span(number(told.get("key_frame_age_s")))
    gop = words.span(number(told.get("gop_s")))
    yield (
        "key frames",
        " · ".join(
            part
            for part in (f"each {gop}" if gop else "", f"last {key_frame_age} ago" if key_frame_age else "")
            if part
        ),
    )
    yield "transport", text(told.get("transport")).upper()
    loss = number(told.get("loss"))
    lost = _count(told, "packets_lost")
    yield "loss", (f"{loss:.2%} now" if loss is not None else "") + (f", {lost} packets in all" if lost else "")
    damaged, skipped = _count(told, "frames_damaged"), _count(told, "frames_skipped")
    yield "frames lost", f"{damaged} damaged, {skipped} skipped" if damaged or skipped else ""
    for sent in _each(told.get("sent")):
        yield (
            "  sent",
            " ".join(
                part for part in (str(_count(sent, "viewers")), text(sent.get("codec")), text(sent.get("way"))) if part
            ),
        )
    for made in _each(told.get("transcoders")):
        yield (
            "  made",
            f"{text(made.get('codec'))} by {text(made.get('encoder'))}, {words.bits(number(made.get('bitrate_bps')))}",
        )
    audio, sub = told.get("audio"), told.get("sub")
    if isinstance(audio, Mapping):
        yield "sound", f"{text(audio.get('codec'))} {words.bits(number(audio.get('bitrate_bps')))}"
    if isinstance(sub, Mapping):
        size = f"{sub['width']}x{sub['height']}" if sub.get("width") and sub.get("height") else ""
        parts = (text(sub.get("state")), text(sub.get("codec")), size, words.bits(number(sub.get("bitrate_bps"))))
        yield "sub-stream", " ".join(part for part in parts if part)
        yield "  why", text(sub.get("last_error"))


def _of_viewer(viewer: Viewer) -> Iterator[tuple[str, str]]:
    told = viewer.facts
    yield "id", viewer.id
    yield "user", viewer.user
    yield "address", viewer.address
    yield "by", viewer.way + ("" if viewer.is_connected else ", connecting")
    yield "for", words.span(viewer.since_s)
    way = text(told.get("way"))
    sound = ", with sound" if told.get("has_sound") is True else ""
    yield "is sent", " ".join(filter(None, (viewer.codec, way))) + sound
    yield "bit rate", words.bits(viewer.bitrate_bps)
    yield "round trip", words.span(viewer.round_trip_s)
    yield "loss", words.share(viewer.loss)
    yield "jitter", words.span(number(told.get("jitter_s")))
    repeated = _count(told, "packets_retransmitted")
    yield "packets", f"{_count(told, 'packets_sent')}" + (f", {repeated} of them again" if repeated else "")
    dropped = _count(told, "frames_dropped")
    yield "frames dropped", str(dropped) if dropped else ""


def _each(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _count(told: Mapping[str, Any], key: str) -> int:
    return int(number(told.get(key)) or 0)


def _in_brackets(value: str) -> str:
    return f" (on demand: {value})" if value else ""


def _since(camera: Camera) -> str:
    uptime_s = number(camera.facts.get("uptime_s"))
    return f" for {words.span(uptime_s)}" if uptime_s and camera.state == LIVE else ""
