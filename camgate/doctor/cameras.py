"""The cameras: dialled, and asked what they offer, with one login at most. A running camgate knows better."""

from collections.abc import Callable, Iterable
from typing import Any

import trio

from camgate.base.errors import RemoteError
from camgate.base.secrets import mask
from camgate.config.model import CameraSettings
from camgate.doctor.daemon import Told
from camgate.doctor.finding import FAILED, OK, WARNING, Finding
from camgate.ingest.dial import Dial, dial_tcp
from camgate.ingest.intake import open_intake
from camgate.ingest.links import port_of
from camgate.ingest.play import play_camera
from camgate.relay.source import Reception
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import SenderReport
from camgate.wire.rtsp.errors import AuthenticationFailed
from camgate.wire.rtsp.events import Described
from camgate.wire.rtsp.track import Track
from camgate.wire.rtsp.url import split_url_untrusted

AT_A_TIME = 32
MOST_S = 20.0
"""However long a camera's own timeouts are."""
LIVE, WAITING = "live", {"idle", "stopped"}


async def look_at_cameras(cameras: Iterable[CameraSettings], told: Told, dial: Dial = dial_tcp) -> list[Finding]:
    """Look at every camera and sub-stream, some at a time; those that a running camgate knows about are let alone."""
    limit = trio.CapacityLimiter(AT_A_TIME)
    found: dict[str, Finding] = {}

    async def look(camera: CameraSettings) -> None:
        async with limit:
            known = judge_told(camera, told.camera(camera.name))
            found[camera.name], login_failed = (known, False) if known else await ask_camera(camera, dial)
            if camera.sub is not None and known is None:
                # Another wrong login would bring the camera nearer to locking us out.
                found[camera.sub.name] = (
                    Finding(_check(camera.sub), WARNING, "not asked, as the camera refused the login")
                    if login_failed
                    else (await ask_camera(camera.sub, dial))[0]
                )

    wanted = list(cameras)
    async with trio.open_nursery() as nursery:
        for camera in wanted:
            nursery.start_soon(look, camera)
    order = [each.name for camera in wanted for each in (camera, camera.sub) if each is not None]
    return [found[name] for name in order if name in found]


def judge_told(camera: CameraSettings, facts: dict[str, Any] | None) -> Finding | None:
    """Say what a running camgate told of a camera; None where the camera has to be asked itself."""
    if facts is None or facts.get("state") in WAITING:
        return None
    if facts.get("state") == LIVE:
        fps = facts.get("fps")
        shown = f", {fps:.0f} frames a second" if isinstance(fps, int | float) else ""
        return Finding(_check(camera), OK, f"live in the running camgate{shown}")
    error = facts.get("last_error") or f"it is {facts.get('state')}"
    to_do = f"camgate probe says more: camgate probe {mask(camera.url)}"
    return Finding(_check(camera), FAILED, f"not live in the running camgate: {mask(str(error))}", to_do)


async def ask_camera(camera: CameraSettings, dial: Dial = dial_tcp) -> tuple[Finding, bool]:
    """Ask a camera what it offers, and hang up before it sends pictures. Second value: whether it refused a login."""
    check = _check(camera)
    offer = _Offer()
    try:
        with trio.move_on_after(MOST_S), offer.scope:
            url = split_url_untrusted(camera.url)
            connection = await dial(url.host, port_of(url, camera.transport), camera.connect_timeout_s)
            async with open_intake(dial) as intake:
                await play_camera(camera, connection, offer, intake)
    except RemoteError as error:
        to_do = f"camgate probe says more: camgate probe {mask(camera.url)}"
        return Finding(check, FAILED, mask(str(error)), to_do), isinstance(error, AuthenticationFailed)
    if offer.tracks is None:
        return Finding(check, FAILED, f"no answer within {MOST_S:g} s", "look whether the camera hangs"), False
    labels = ", ".join(track.label for track in offer.tracks) or "nothing"
    return Finding(check, OK, f"answers, and offers {mask(labels)}"), False


def _check(camera: CameraSettings) -> str:
    return f"Camera {camera.name}"


class _Offer:
    """A session's sink that has heard enough as soon as the camera says what it offers."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.tracks: tuple[Track, ...] | None = None

    def on_described(self, camera: Described) -> None:
        self.tracks = camera.tracks
        self.scope.cancel()

    def on_playing(self, track: Track, audio: AudioFormat | None) -> None:
        pass

    def on_reception(self, read: Callable[[], Reception]) -> None:
        pass

    def on_format(self, video: VideoFormat) -> None:
        pass

    def on_frames(self, frames: list[Frame]) -> None:
        pass

    def on_audio_frames(self, frames: list[Frame]) -> None:
        pass

    def on_video_report(self, report: SenderReport) -> None:
        pass

    def on_audio_report(self, report: SenderReport) -> None:
        pass
