"""`probe`: connect to a camera once, look at it for some seconds, and say what a browser will get.

    async def probe(settings: CameraSettings, *, seconds: float = 6.0, dial: Dial = dial_tcp) -> ProbeResult

Raises RemoteError, whose text is a sentence for the camera's owner, where the camera cannot be reached or refuses.
A camera that can be reached but not shown gives a result whose `browser` sentence says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from camgate.base.errors import RemoteError
from camgate.base.place import place
from camgate.base.secrets import mask
from camgate.config.model import CameraSettings
from camgate.ingest.dial import Dial, dial_tcp
from camgate.ingest.errors import UnsupportedVideo
from camgate.ingest.intake import open_intake
from camgate.ingest.links import port_of
from camgate.ingest.play import play_camera
from camgate.ingest.receive import audio_format, is_decoded
from camgate.relay.source import Reception
from camgate.relay.splice import Splice
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import SenderReport
from camgate.wire.rtp.sequence import timestamp_delta
from camgate.wire.rtsp.errors import NoUsableTrack, printable, printable_list
from camgate.wire.rtsp.events import Described
from camgate.wire.rtsp.track import Track
from camgate.wire.rtsp.url import split_url_untrusted

ENOUGH_KEY_FRAMES = 4
"""Three whole groups of pictures are enough to measure by; a camera with short ones need not be watched longer."""

LEAST_MEASURED_S = 2.0

SETTLE_S = 0.5
"""What comes in so short a time after the first frame is not measured: camgate and others begin with the pictures since
the last key frame, told closer together than they were."""

KEY_FRAME_WAIT_S = 12.0
"""Nothing can be measured before the first key frame; smart codecs send one each 10 s."""

NOTHING = "nothing: "
"""What the `browser` sentence begins with where a browser gets no picture; the reason follows."""

VIDEO_CLOCK_HZ = 90_000

_AUDIO_NAMES = {
    "OPUS": "Opus",
    "PCMU": "G.711 mu-law",
    "PCMA": "G.711 A-law",
    "G722": "G.722",
    "MPEG4-GENERIC": "AAC",
    "MP4A-LATM": "AAC (LATM)",
    "G726-32": "G.726",
    "AAL2-G726-32": "G.726",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What one look at a camera showed.

    address: host and port as dialled. server: the camera's own name for its software; may be empty.
    transport: `tcp`, `udp`, `tls`, `http` or `https`; None where nothing was played.
    tracks: everything that the camera offers, in its order. played: the one that was measured; None where none can be.
    format: of the track played; None where no key frame came.
    frames: all that came. measured_fps, bitrate_bps: over `measured_s` seconds of media time, the latest.
    gop_frames, gop_s: from key frame to key frame, the latest; None where fewer than two came.
    browser: what a browser will get, a sentence. sound: the same of sound.
    key_frame: the latest; None where none came.
    """

    address: str
    transport: str | None
    packets_lost: int
    server: str
    tracks: tuple[Track, ...]
    played: Track | None
    format: VideoFormat | None
    frames: int
    measured_s: float
    measured_fps: float | None
    bitrate_bps: float | None
    gop_frames: int | None
    gop_s: float | None
    browser: str
    sound: str
    key_frame: Frame | None = None

    @property
    def is_playable(self) -> bool:
        """Whether a browser gets anything."""
        return not self.browser.startswith(NOTHING)

    def facts(self) -> dict[str, Any]:
        """Return what was found, rounded and ready for JSON, in the order in which people ask for it."""
        video = self.format
        return {
            "browser": self.browser,
            "sound": self.sound,
            "address": self.address,
            "transport": self.transport,
            "server": mask(self.server),
            "tracks": [track.label for track in self.tracks],
            "codec": video and video.codec,
            "profile": video and video.profile,
            **({"profile_level_id": video.profile_level_id} if video and video.profile_level_id else {}),
            "level": video and video.level,
            "width": video and video.width,
            "height": video and video.height,
            "fps": _rounded(self.measured_fps, 2),
            "claimed_fps": video and video.fps,
            "bitrate_bps": _rounded(self.bitrate_bps, 0),
            "gop_frames": self.gop_frames,
            "gop_s": _rounded(self.gop_s, 3),
            "frames": self.frames,
            "packets_lost": self.packets_lost,
            "measured_s": _rounded(self.measured_s, 3),
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits or None)


async def probe(settings: CameraSettings, *, seconds: float = 6.0, dial: Dial = dial_tcp) -> ProbeResult:
    """Look at a camera for at most `seconds` from its first key frame on, and hang up.

    Raises RemoteError where the camera cannot be reached, refuses, or stops before it showed anything.
    """
    url = split_url_untrusted(settings.url)
    port = port_of(url, settings.transport)
    look = _Look(place(url.host, port), seconds)
    with look.scope:
        connection = await dial(url.host, port, settings.connect_timeout_s)
        try:
            async with open_intake(dial) as intake:
                await play_camera(settings, connection, look, intake)
        except (UnsupportedVideo, NoUsableTrack) as error:
            return look.result(f"{NOTHING}{error}")
        except RemoteError:
            if look.format is None:
                raise
    return look.result(look.browser_sentence())


CLOCK_TOLERANCE_S = 1.0
"""A camera whose clock is further from real time has set it, or it does not show time."""


class _Look:
    """The session's sink while probing: measures, and ends the session once it has seen enough."""

    def __init__(self, address: str, seconds: float) -> None:
        self.scope = trio.CancelScope()
        self.format: VideoFormat | None = None
        self._address = address
        self._seconds = seconds
        self._described: Described | None = None
        self._reception: Callable[[], Reception] = Reception
        self._played: Track | None = None
        self._audio: AudioFormat | None = None
        self._splice = Splice()
        self._frames = 0
        self._began_s = 0.0
        self._measured_frames = 0
        self._measured_bytes = 0
        self._first_time = 0
        self._last_time = 0
        self._last_timestamp = 0
        self._time = 0
        self._runs_backward = False
        self._audio_frames = 0
        self._key_frames: list[tuple[int, int]] = []
        self._key_frame: Frame | None = None

    def on_described(self, camera: Described) -> None:
        self._described = camera

    def on_playing(self, track: Track, audio: AudioFormat | None) -> None:
        self._played = track
        self._audio = audio
        self._splice.begin_session()
        self.scope.deadline = trio.current_time() + KEY_FRAME_WAIT_S

    def on_reception(self, read: Callable[[], Reception]) -> None:
        self._reception = read

    def on_format(self, video: VideoFormat) -> None:
        self.format = video

    def on_audio_frames(self, frames: list[Frame]) -> None:
        self._audio_frames += len(frames)

    def on_video_report(self, report: SenderReport) -> None:
        pass

    def on_audio_report(self, report: SenderReport) -> None:
        pass

    def on_frames(self, frames: list[Frame]) -> None:
        if not self._frames:
            self.scope.deadline = trio.current_time() + self._seconds
        for frame in frames:
            step = timestamp_delta(frame.rtp_time, self._last_timestamp) if self._frames else 0
            self._runs_backward |= step < 0
            self._last_timestamp = frame.rtp_time
            self._time = self._media_time(step, self._splice.map(frame).rtp_time)
            self._count(frame)
        if len(self._key_frames) >= ENOUGH_KEY_FRAMES and self._measured_s >= LEAST_MEASURED_S:
            self.scope.cancel()

    def _media_time(self, step: int, real_time: int) -> int:
        """Return a frame's time by the camera's own clock, which knows its rate best, as long as that fits real time.

        The splice makes up for late first frames, by which a busy machine would measure a wrong rate.
        """
        by_camera = self._time + step
        return by_camera if abs(by_camera - real_time) <= CLOCK_TOLERANCE_S * VIDEO_CLOCK_HZ else real_time

    def _count(self, frame: Frame) -> None:
        if not self._frames:
            self._began_s = frame.arrival_s
        if frame.arrival_s - self._began_s < SETTLE_S:
            self._first_time = self._time
        else:
            # A rate is frames, or bytes, over the time since the frame before them.
            self._measured_frames += 1
            self._measured_bytes += frame.size_bytes
        if frame.is_key:
            self._key_frames.append((self._frames, self._time))
            self._key_frame = frame
        self._frames += 1
        self._last_time = self._time

    @property
    def _measured_s(self) -> float:
        return (self._last_time - self._first_time) / VIDEO_CLOCK_HZ

    @property
    def _measured_fps(self) -> float | None:
        return self._measured_frames / self._measured_s if self._measured_s > 0 else None

    def _gop(self) -> tuple[int, float] | None:
        """Return the frames and seconds between the latest two key frames; None where fewer came."""
        if len(self._key_frames) < 2:
            return None
        (first, first_time), (last, last_time) = self._key_frames[-2:]
        if first_time < self._first_time and self._measured_fps:
            return last - first, (last - first) / self._measured_fps
        return last - first, (last_time - first_time) / VIDEO_CLOCK_HZ

    def result(self, browser: str) -> ProbeResult:
        assert self._described is not None
        gop = self._gop()
        reception = self._reception()
        return ProbeResult(
            address=self._address,
            transport=reception.transport,
            packets_lost=reception.packets_lost,
            server=self._described.server,
            tracks=self._described.tracks,
            played=self._played,
            format=self.format,
            frames=self._frames,
            measured_s=self._measured_s,
            measured_fps=self._measured_fps,
            bitrate_bps=8 * self._measured_bytes / self._measured_s if self._measured_s > 0 else None,
            gop_frames=gop and gop[0],
            gop_s=gop and gop[1],
            browser=browser,
            sound=self._sound_sentence(self._described.tracks),
            key_frame=self._key_frame,
        )

    def _sound_sentence(self, tracks: tuple[Track, ...]) -> str:
        offered = [track for track in tracks if track.media == "audio" and not track.is_backchannel]
        if self._audio is not None:
            way = "passed through" if self._audio.is_for_browsers else "made into Opus, which every browser plays"
            came = way if self._audio_frames else "but none came while camgate listened"
            return f"{audio_name(self._audio)}, {came}"
        if not offered:
            return f"{NOTHING}the camera offers no sound"
        if self._played is None:
            return f"{NOTHING}sound goes with pictures, and there are none"
        if any(map(is_decoded, offered)):
            return f"{NOTHING}the camera refused its sound"
        names = printable_list((audio_name(audio_format(track)) for track in offered), " and ")
        return f"{NOTHING}the camera offers {names}, which camgate cannot decode; set it to G.711, AAC or Opus"

    def browser_sentence(self) -> str:
        """Say what a browser will get of what was seen."""
        if self.format is None or not self._key_frames:
            advice = "set its key-frame interval to 1-2 s, without intra refresh"
            return f"{NOTHING}the camera sent no key frame within {KEY_FRAME_WAIT_S:g} s; {advice}"
        video = self.format
        shown = video.label
        if video.width and video.height:
            shown += f" {video.width}x{video.height}"
        if self._measured_fps:
            shown += f" at {self._measured_fps:.0f} fps"
        other = "transcoded, unless a sub-stream is configured"
        if self._runs_backward:
            return f"{shown} with B-frames, which WebRTC cannot carry: {other}; turn B-frames off in the camera"
        if not video.is_for_browsers:
            return f"{shown}, a profile that browsers do not decode: {other}; set it to High, Main or Baseline"
        if video.codec == "H265":
            takers = "Safari; Chrome and Edge where the hardware decodes it"
            return f"{shown}, passed through to browsers that take H.265 ({takers}); for others {other}"
        return f"{shown}, passed through"


def audio_name(audio: AudioFormat) -> str:
    """Return an audio format as people call it: `G.711 A-law`, `AAC 16 kHz stereo`."""
    name = _AUDIO_NAMES.get(audio.codec, printable(audio.codec) or "an unknown codec")
    if audio.is_for_browsers:
        return name
    return f"{name} {audio.clock_hz / 1000:g} kHz" + (" stereo" if audio.channels == 2 else "")
