"""The state of the screen: what was heard of cameras and viewers, and what the keys have made of it. Pure.

What camgate tells and what is typed goes in, with the time; the rows that fit come out. There is no terminal here,
and no clock.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from camgate.tui import keys
from camgate.tui.facts import LIVE, Camera, LoggedLine, Process, Viewer, read_camera, read_viewer, text
from camgate.tui.listing import Listing, Order

SAMPLES, SAMPLE_S = 60, 2.0
"""Bit rates that are kept of each camera, and how far they are apart: two minutes."""
FRESH_S = 3.0
"""What is told each second is not true any more after so long."""
MAX_LINES = 100
"""Of the log that are kept for the selected camera."""

ORDERS: Sequence[Order[Camera]] = (
    Order("trouble", lambda camera: (not camera.is_down, not camera.is_troubled)),
    Order("name", None),
    Order("state", lambda camera: (camera.state,)),
    Order("bit rate", lambda camera: (-(camera.bitrate_bps or 0),)),
    Order("fps", lambda camera: (-(camera.fps or 0),)),
    Order("viewers", lambda camera: (-camera.viewers,)),
    Order("reconnects", lambda camera: (-camera.reconnects,)),
)
VIEWER_ORDERS: Sequence[Order[Viewer]] = (
    Order("loss", lambda viewer: (-(viewer.loss or 0),)),
    Order("camera", None),
    Order("address", lambda viewer: (viewer.address,)),
    Order("bit rate", lambda viewer: (-(viewer.bitrate_bps or 0),)),
    Order("round trip", lambda viewer: (-(viewer.round_trip_s or 0),)),
    Order("time", lambda viewer: (-(viewer.since_s or 0),)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A camera as it is shown. frame_age_s: by now; None where that is not known."""

    camera: Camera
    is_selected: bool
    frame_age_s: float | None
    rates: Sequence[float]


@dataclass(frozen=True, slots=True)
class ViewerRow:
    """A viewer as it is shown."""

    viewer: Viewer
    is_selected: bool


class Board:
    """What one screen knows. `version` rises with all that can be seen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = 0
        self.why_lost = "connecting"
        self.has_ended = False
        self.process: Process | None = None
        self.shows_viewers = False
        self.shows_details = False
        self.cameras = Listing(
            ORDERS,
            name_of=lambda camera: camera.name,
            words_of=lambda camera: f"{camera.name} {camera.title} {camera.state} {camera.codec} {camera.reason}",
            is_troubled=lambda camera: camera.is_troubled,
        )
        self.viewers = Listing(
            VIEWER_ORDERS,
            name_of=lambda viewer: f"{viewer.camera} {viewer.id}",
            words_of=lambda viewer: f"{viewer.camera} {viewer.user} {viewer.address} {viewer.way} {viewer.codec}",
            is_troubled=lambda viewer: viewer.is_troubled,
        )
        self.are_viewers_told = True
        """Whether we may know who watches."""
        self.log: Sequence[LoggedLine] | None = ()
        """The latest lines about the selected camera; None where we may not know them."""
        self._rates: dict[str, deque[float]] = {}
        self._sampled_s: float | None = None

    @property
    def listing(self) -> Listing[Camera] | Listing[Viewer]:
        """The list that is on the screen, and that keys are for."""
        return self.viewers if self.shows_viewers else self.cameras

    @property
    def is_lost(self) -> bool:
        """Whether nothing is heard of camgate now; `why_lost` says why."""
        return bool(self.why_lost)

    @property
    def log_of(self) -> str:
        """The camera whose log is on the screen; empty for none."""
        camera = self.cameras.selected
        return camera.name if self.shows_details and not self.shows_viewers and camera is not None else ""

    def hear(self, message: Mapping[str, Any], now_s: float) -> None:
        """Take a message of the WebSocket that tells of all cameras."""
        match message.get("type"):
            case "cameras":
                listed = message.get("cameras")
                cameras = [read_camera(told, now_s) for told in listed] if isinstance(listed, list) else []
                self.cameras.items = {camera.name: camera for camera in cameras if camera is not None}
                self._rates = {name: rates for name, rates in self._rates.items() if name in self.cameras.items}
                self.why_lost = ""
            case "camera":
                if (camera := read_camera(message.get("camera"), now_s)) is not None:
                    self.cameras.items[camera.name] = camera
            case "camera-removed":
                name = text(message.get("name"))
                self.cameras.items.pop(name, None)
                self._rates.pop(name, None)
            case "bye" | "signed-out":
                self.why_lost = text(message.get("reason")) or "camgate is stopping"
            case _:
                return
        self.version += 1

    def hear_figures(self, message: Mapping[str, Any], now_s: float) -> None:
        """Take a message of the WebSocket for the cameras on the screen; which there are is not its to say."""
        told = message.get("cameras") if message.get("type") == "cameras" else [message.get("camera")]
        for each in told if isinstance(told, list) else ():
            camera = read_camera(each, now_s)
            if camera is not None and camera.name in self.cameras.items:
                self.cameras.items[camera.name] = camera
                self.version += 1

    def take_process(self, process: Process | None) -> None:
        """Take what camgate tells of itself."""
        self.process = process
        self.version += 1

    def take_viewers(self, told: object, now_s: float) -> None:
        """Take the list of who watches; None where we may not know it."""
        self.are_viewers_told = told is not None
        listed = told if isinstance(told, list) else []
        before = self.viewers.items
        viewers = [read_viewer(each, now_s, before) for each in listed]
        self.viewers.items = {viewer.key: viewer for viewer in viewers if viewer is not None}
        self.version += 1

    def take_log(self, camera: str, lines: Sequence[LoggedLine] | None) -> None:
        """Take the latest lines about a camera; None where we may not know them."""
        if camera == self.log_of:
            self.log = None if lines is None else lines[-MAX_LINES:]
            self.version += 1

    def lose(self, why: str) -> None:
        """Say that camgate is not heard any more. What it said last stays on the screen."""
        self.why_lost = why
        self.process = None
        self.version += 1

    def sample(self, now_s: float) -> None:
        """Note the bit rates, if it is time."""
        if self.is_lost or (self._sampled_s is not None and now_s - self._sampled_s < SAMPLE_S):
            return
        self._sampled_s = now_s
        for name, camera in self.cameras.items.items():
            rates = self._rates.setdefault(name, deque(maxlen=SAMPLES))
            rates.append((camera.bitrate_bps or 0) if camera.state == LIVE else 0)
        self.version += 1

    def press(self, key: str) -> None:
        """Do what a key says."""
        self.version += 1
        camera = self.log_of
        if self.listing.is_typing:
            self.listing.press(key)
        else:
            match key:
                case "q" | "Q":
                    self.has_ended = True
                case "v" | keys.TAB:
                    self.shows_viewers, self.shows_details = not self.shows_viewers, False
                case keys.ENTER:
                    self.shows_details = not self.shows_details
                case keys.ESCAPE if self.shows_details:
                    self.shows_details = False
                case _:
                    self.listing.press(key)
        if self.log_of != camera:
            self.log = ()

    def rows(self, height: int, now_s: float) -> list[Row]:
        """Return the cameras that fit, around the selected one."""
        return [
            Row(camera, is_selected, self._age_of(camera, now_s), tuple(self._rates.get(camera.name, ())))
            for camera, is_selected in self.cameras.rows(height)
        ]

    def viewer_rows(self, height: int) -> list[ViewerRow]:
        """Return the viewers that fit, around the selected one."""
        return [ViewerRow(viewer, is_selected) for viewer, is_selected in self.viewers.rows(height)]

    def _age_of(self, camera: Camera, now_s: float) -> float | None:
        """Of a live camera what was told, as long as that is fresh; of another one it grows: no frame comes."""
        if camera.frame_age_s is None:
            return None
        since_s = now_s - camera.heard_s
        if camera.state == LIVE and not self.is_lost:
            return camera.frame_age_s if since_s <= FRESH_S else None
        return camera.frame_age_s + since_s
