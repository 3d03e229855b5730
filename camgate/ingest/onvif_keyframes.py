"""`ask_for_key_frames`: the task that asks a camera for a key frame, by ONVIF, whenever its stream wants one.

How often at most is the stream's matter. A camera that fails is asked ever more seldom; nobody waits for it, and its
pictures come as before.
"""

from collections.abc import Callable
from datetime import datetime
from random import Random

import trio

from camgate.base.backoff import Backoff
from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.base.secrets import mask
from camgate.config.model import CameraSettings
from camgate.ingest.dial import Dial, dial_tcp
from camgate.ingest.onvif import OnvifCamera, utc_now
from camgate.ingest.onvif_streams import find_stream
from camgate.relay.stream import Stream
from camgate.wire.onvif.address import split_address_untrusted
from camgate.wire.onvif.errors import LoginNeeded, LoginRefused

FAILED_FIRST_S, FAILED_CAP_S = 2.0, 600.0
"""A camera that restarts is back within a minute; one without that operation will not learn it."""

DENIED_FIRST_S, DENIED_CAP_S = 3600.0, 86_400.0
"""Cameras lock an account after about five wrong logins in half an hour, and then refuse its pictures as well."""

log = get_logger("ingest.onvif")


async def ask_for_key_frames(
    settings: CameraSettings,
    stream: Stream,
    *,
    dial: Dial = dial_tcp,
    wall_clock: Callable[[], datetime] = utc_now,
) -> None:
    """Ask whenever `stream` wants a key frame, until cancelled; returns at once where there is no ONVIF to ask."""
    if settings.onvif is None:
        return
    asker = _Asker(settings, stream, dial, wall_clock)
    stream.set_key_frame_requester(asker.want)
    try:
        while True:
            await asker.serve()
    finally:
        stream.set_key_frame_requester(None)


class _Asker:
    """What is wanted, what is known of the camera's services, and how often it failed."""

    def __init__(
        self, settings: CameraSettings, stream: Stream, dial: Dial, wall_clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._dial = dial
        self._wall_clock = wall_clock
        random = Random(settings.name)
        self._failed = Backoff(random, FAILED_FIRST_S, FAILED_CAP_S)
        self._denied = Backoff(random, DENIED_FIRST_S, DENIED_CAP_S)
        self._wanted = trio.Event()
        self._wanted_at_s = 0.0
        self._known: tuple[OnvifCamera, str] | None = None
        self._last_words = ""

    def want(self) -> None:
        """Somebody waits for a key frame."""
        self._wanted_at_s = trio.current_time()
        self._wanted.set()

    async def serve(self) -> None:
        """Wait until a key frame is wanted and ask for it; after a failure wait some time more."""
        await self._wanted.wait()
        self._wanted = trio.Event()
        if self._has_come():
            return
        try:
            await self._ask()
        except RemoteError as error:
            self._known = None
            backoff = self._denied if isinstance(error, LoginRefused | LoginNeeded) else self._failed
            delay_s = backoff.next_delay_s()
            self._say(mask(str(error)), delay_s)
            await trio.sleep(delay_s)
        except Exception:
            # A bug that one camera meets must not end the others.
            self._known = None
            log.exception("internal error: camera is asked for a key frame later", camera=self._settings.name)
            await trio.sleep(self._failed.next_delay_s())
        else:
            self._failed.reset()
            self._denied.reset()
            self._last_words = ""

    def _has_come(self) -> bool:
        """Whether a key frame came since one was wanted, as it does while a failure is waited out."""
        now = trio.current_time()
        age_s = self._stream.key_frame_age_s(now)
        return age_s is not None and now - age_s > self._wanted_at_s

    async def _ask(self) -> None:
        if self._known is None:
            self._known = await self._connect()
        camera, token = self._known
        await camera.request_key_frame(token)
        log.debug("asked for a key frame", camera=self._settings.name, profile=token)

    async def _connect(self) -> tuple[OnvifCamera, str]:
        settings = self._settings
        assert settings.onvif is not None
        camera = OnvifCamera(
            split_address_untrusted(settings.onvif),
            username=settings.username,
            password=settings.password,
            dial=self._dial,
            wall_clock=self._wall_clock,
        )
        await camera.connect()
        return camera, (await find_stream(camera, settings.url)).profile.token

    def _say(self, words: str, delay_s: float) -> None:
        if words != self._last_words:
            name = self._settings.name
            log.warning("camera cannot be asked for key frames", camera=name, reason=words, again_in_s=round(delay_s))
        self._last_words = words
