"""`Probes`: a look at a camera before it is added, for the API: so many at a time, each for so long and no longer."""

import base64
from collections.abc import Mapping
from typing import Any

import trio

from camgate.base.errors import RemoteError
from camgate.base.secrets import mask
from camgate.config.model import CameraSettings
from camgate.ingest.dial import Dial, dial_tcp
from camgate.ingest.probe import ProbeResult, probe
from camgate.relay.errors import ViewerError
from camgate.serve.http.control import TooManyProbes
from camgate.transcode.snapshots import Snapshots

MAX_AT_ONCE = 2
"""A camera has few sessions to give, and who adds one looks at one."""
LOOK_S = 3.0
"""From the first key frame on: a group of pictures of most cameras."""
MAX_S = 30.0
"""For all of it; a camera that takes longer is shown to nobody soon."""
WIDTH = 640
"""Of the picture, in pixels at the most: some 60 kB."""
RETRY_S = 5.0


class Probes:
    """Looks at cameras."""

    def __init__(self, snapshots: Snapshots, *, dial: Dial = dial_tcp) -> None:
        self._snapshots = snapshots
        self._dial = dial
        self._under_way = 0

    async def look(self, settings: CameraSettings) -> Mapping[str, Any]:
        """Return what was found; see `serve.http.control.Control.probe`. Raises TooManyProbes."""
        if self._under_way >= MAX_AT_ONCE:
            raise TooManyProbes(MAX_AT_ONCE, retry_after_s=RETRY_S)
        self._under_way += 1
        try:
            with trio.move_on_after(MAX_S):
                return await self._look(settings)
        except RemoteError as error:
            return _told(mask(str(error)))
        finally:
            self._under_way -= 1
        return _told(f"the camera took longer than {MAX_S:g} s; try again, or set it to another transport")

    async def _look(self, settings: CameraSettings) -> Mapping[str, Any]:
        result = await probe(settings, seconds=LOOK_S, dial=self._dial)
        return _told(None, result) | {"picture": await self._picture(result)}

    async def _picture(self, result: ProbeResult) -> str | None:
        if result.key_frame is None or result.format is None:
            return None
        try:
            snapshot = await self._snapshots.decode("a probe", result.format.codec, result.key_frame, WIDTH)
        except ViewerError:
            return None  # the log has it; the figures are what counts
        return base64.b64encode(snapshot.jpeg).decode()


def _told(error: str | None, result: ProbeResult | None = None) -> dict[str, Any]:
    return {
        "error": error,
        "is_playable": result is not None and result.is_playable,
        "found": None if result is None else result.facts(),
        "picture": None,
    }
