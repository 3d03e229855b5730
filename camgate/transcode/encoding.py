"""Video encoders for live pictures: hardware where it works, software else. Worker processes only: no Trio.

An encoder of hardware is believed only once it has encoded pictures: FFmpeg lists whatever it was built with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.video.frame import PictureType

from camgate.base.errors import RemoteError
from camgate.wire.codec.h264_nal import NAL_IDR, NAL_PPS, NAL_SPS, NAL_TYPE_MASK, NOT_FOR_BROWSERS, split_annex_b

CLOCK_HZ = 90_000
GOP_PICTURES = 50
"""Two seconds of most cameras: a viewer who joins gets the pictures since the last key frame at once."""
BUFFER_S = 0.5
"""What the rate control may spend ahead of the rate, mostly on key frames."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a derived stream shall be: target `H264` or `VP8`; at most so many kbit/s; hardware as in the config."""

    target: str
    max_kbps: int
    hardware: str
    threads: int


class EncoderFailed(RemoteError):
    """No encoder, or one that stopped."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"encoder {self.name}: {self.reason}"


_HARDWARE: Mapping[str, tuple[str, dict[str, str]]] = {
    "nvenc": (
        "h264_nvenc",
        {"preset": "p2", "tune": "ull", "profile": "baseline", "rc": "vbr", "zerolatency": "1", "delay": "0"}
        | {"bf": "0", "forced-idr": "1"},
    ),
    "qsv": (
        "h264_qsv",
        {"preset": "veryfast", "profile": "baseline", "async_depth": "1", "bf": "0", "forced_idr": "1"},
    ),
    "v4l2m2m": ("h264_v4l2m2m", {"bf": "0", "num_capture_buffers": "8"}),
}
"""By the config's word. All of H.264: what makes VP8 in hardware is found on no machine that runs this."""

_SOFTWARE: Mapping[str, tuple[str, dict[str, str]]] = {
    "H264": (
        "libx264",
        {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "crf": "25", "forced-idr": "1"}
        | {"sc_threshold": "0"},
    ),
    "VP8": (
        "libvpx",
        {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "0", "static-thresh": "100"}
        | {"undershoot-pct": "100", "overshoot-pct": "15", "max-intra-rate": "600", "qmin": "4", "qmax": "56"},
    ),
}

_PROBE_SIZE = (640, 368)
_PROBE_PICTURES = 6
_MAX_PROBE_DELAY = 2
"""An encoder that keeps more pictures back than this is none for live ones."""


class Encoder:
    """One encoder, opened for pictures of one size and range."""

    def __init__(self, name: str, options: Mapping[str, str], wish: Wish, picture: Any) -> None:
        """Raises EncoderFailed."""
        self.name = name
        self.key = (picture.width, picture.height, picture.format.name)
        self._is_h264 = wish.target == "H264"
        self._wants_key = False
        rate = wish.max_kbps * 1000
        limits = {"maxrate": str(rate), "bufsize": str(int(rate * BUFFER_S))}
        try:
            codec: Any = av.CodecContext.create(name, "w")
            codec.width, codec.height, codec.pix_fmt = self.key
            codec.time_base = Fraction(1, CLOCK_HZ)
            codec.framerate = Fraction(25)
            codec.gop_size = GOP_PICTURES
            codec.thread_count = wish.threads
            if "crf" not in options:
                codec.bit_rate = rate
            codec.options = dict(options) | limits
            codec.open()
        except (av.error.FFmpegError, ValueError) as exc:
            raise EncoderFailed(name, _words(exc)) from exc
        self._codec = codec

    def ask_for_key(self) -> None:
        """Make the next picture a key frame."""
        self._wants_key = True

    def encode(self, picture: Any, rtp_time: int) -> Iterator[tuple[int, bool, list[bytes]]]:
        """Encode a picture, and yield what is ready: (time, is a key frame, NAL units or the one VP8 frame).

        Raises EncoderFailed.
        """
        picture.pts, picture.time_base = rtp_time, self._codec.time_base
        picture.pict_type = PictureType.I if self._wants_key else PictureType.NONE
        self._wants_key = False
        try:
            packets = self._codec.encode(picture)
        except av.error.FFmpegError as exc:
            raise EncoderFailed(self.name, _words(exc)) from exc
        for packet in packets:
            data = bytes(packet)
            if not self._is_h264:
                yield packet.pts, bool(packet.is_keyframe), [data]
                continue
            nals = [nal for nal in split_annex_b(data) if nal[0] & NAL_TYPE_MASK not in NOT_FOR_BROWSERS]
            yield packet.pts, any(nal[0] & NAL_TYPE_MASK == NAL_IDR for nal in nals), nals


def candidates(wish: Wish) -> list[tuple[str, dict[str, str]]]:
    """Return the encoders to try, most wanted first, each with its options; the last one is software."""
    wanted = {"auto": list(_HARDWARE), "off": []}.get(wish.hardware, [wish.hardware])
    hardware = [_HARDWARE[word] for word in wanted] if wish.target == "H264" else []
    return [*hardware, _SOFTWARE[wish.target]]


def choose_encoder(wish: Wish) -> tuple[str, dict[str, str], list[str]]:
    """Return name and options of the first encoder that works, and in words why those before it do not."""
    *hardware, software = candidates(wish)
    refused = []
    for name, options in hardware:
        try:
            _probe(name, options, wish)
        except EncoderFailed as exc:
            refused.append(str(exc))
        else:
            return name, options, refused
    return *software, refused


def _probe(name: str, options: Mapping[str, str], wish: Wish) -> None:
    """Encode some pictures, the last of them a key frame. Raises EncoderFailed."""
    picture = av.VideoFrame(*_PROBE_SIZE, "yuv420p")
    encoder = Encoder(name, options, wish, picture)
    made = []
    for number in range(_PROBE_PICTURES):
        if number == _PROBE_PICTURES - _MAX_PROBE_DELAY - 1:
            encoder.ask_for_key()
        made += list(encoder.encode(picture, number * CLOCK_HZ // 25))
    keys = [nals for _, is_key, nals in made if is_key]
    if len(made) < _PROBE_PICTURES - _MAX_PROBE_DELAY or len(keys) < 2:
        raise EncoderFailed(name, "it keeps pictures back, or makes no key frame when asked")
    for nals in keys:
        types = {nal[0] & NAL_TYPE_MASK: nal for nal in nals}
        if NAL_SPS not in types or NAL_PPS not in types:
            raise EncoderFailed(name, "its key frames lack parameter sets")
        if types[NAL_SPS][1] != 66:  # H.264 A.2.1: profile_idc of Baseline
            raise EncoderFailed(name, "it does not make Baseline")


def _words(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or str(exc)
