"""The state of the screen: what was heard of cameras, and what the keys have made of it. Pure: no terminal, no clock.

What camgate tells and what is typed goes in, with the time; the rows that fit come out.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from camgate.tui import keys
from camgate.tui.facts import LIVE, Camera, Process, read_camera, text

SAMPLES, SAMPLE_S = 60, 2.0
"""Bit rates that are kept of each camera, and how far they are apart: two minutes."""
FRESH_S = 3.0
"""What is told each second is not true any more after so long."""
MAX_FILTER_CHARS = 64


class Order(StrEnum):
    """What rows are sorted by; `s` goes on to the next."""

    TROUBLE = "trouble"
    NAME = "name"
    STATE = "state"
    BIT_RATE = "bit rate"
    FPS = "fps"
    VIEWERS = "viewers"
    RECONNECTS = "reconnects"


ORDERS = list(Order)
_NUMBERS = re.compile(r"(\d+)")


def _by_name(camera: Camera) -> tuple[object, ...]:
    """camera-2 comes before camera-10."""
    parts = _NUMBERS.split(camera.name.casefold())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


_KEYS: dict[Order, Callable[[Camera], tuple[object, ...]]] = {
    Order.TROUBLE: lambda camera: (not camera.is_down, not camera.is_troubled),
    Order.NAME: lambda _: (),
    Order.STATE: lambda camera: (camera.state,),
    Order.BIT_RATE: lambda camera: (-(camera.bitrate_bps or 0),),
    Order.FPS: lambda camera: (-(camera.fps or 0),),
    Order.VIEWERS: lambda camera: (-camera.viewers,),
    Order.RECONNECTS: lambda camera: (-camera.reconnects,),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A camera as it is shown. frame_age_s: by now; None where that is not known."""

    camera: Camera
    is_selected: bool
    frame_age_s: float | None
    rates: Sequence[float]


class Board:
    """What one screen knows. `version` rises with all that can be seen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = 0
        self.why_lost = "connecting"
        self.has_ended = False
        self.process: Process | None = None
        self.order = Order.TROUBLE
        self.is_reversed = False
        self.filter = ""
        self.is_typing = False
        self.only_trouble = False
        self.shows_details = False
        self.shown: tuple[str, ...] = ()
        self._cameras: dict[str, Camera] = {}
        self._rates: dict[str, deque[float]] = {}
        self._sampled_s: float | None = None
        self._selected = ""
        self._place = 0  # of the selected camera, for when it goes
        self._top = 0
        self._page = 1

    @property
    def cameras(self) -> Iterable[Camera]:
        """All of them."""
        return self._cameras.values()

    @property
    def is_lost(self) -> bool:
        """Whether nothing is heard of camgate now; `why_lost` says why."""
        return bool(self.why_lost)

    @property
    def selected(self) -> Camera | None:
        """The one that the details are of."""
        return self._cameras.get(self._selected)

    def hear(self, message: Mapping[str, Any], now_s: float) -> None:
        """Take a message of the WebSocket that tells of all cameras."""
        match message.get("type"):
            case "cameras":
                listed = message.get("cameras")
                cameras = [read_camera(told, now_s) for told in listed] if isinstance(listed, list) else []
                self._cameras = {camera.name: camera for camera in cameras if camera is not None}
                self._rates = {name: rates for name, rates in self._rates.items() if name in self._cameras}
                self.why_lost = ""
            case "camera":
                if (camera := read_camera(message.get("camera"), now_s)) is not None:
                    self._cameras[camera.name] = camera
            case "camera-removed":
                name = text(message.get("name"))
                self._cameras.pop(name, None)
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
            if camera is not None and camera.name in self._cameras:
                self._cameras[camera.name] = camera
                self.version += 1

    def take_process(self, process: Process | None) -> None:
        """Take what camgate tells of itself."""
        self.process = process
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
        for name, camera in self._cameras.items():
            rates = self._rates.setdefault(name, deque(maxlen=SAMPLES))
            rates.append((camera.bitrate_bps or 0) if camera.state == LIVE else 0)
        self.version += 1

    def press(self, key: str) -> None:
        """Do what a key says."""
        self.version += 1
        if self.is_typing:
            self._type(key)
            return
        match key:
            case "q" | "Q":
                self.has_ended = True
            case keys.UP | "k":
                self._move(-1)
            case keys.DOWN | "j":
                self._move(1)
            case keys.PAGE_UP:
                self._move(-self._page)
            case keys.PAGE_DOWN | " ":
                self._move(self._page)
            case keys.HOME | "g":
                self._move(-len(self._cameras))
            case keys.END | "G":
                self._move(len(self._cameras))
            case keys.ENTER:
                self.shows_details = not self.shows_details
            case _:
                self._change_list(key)

    def rows(self, height: int, now_s: float) -> list[Row]:
        """Return the rows that fit, around the selected one."""
        ordered = self.ordered()
        self._page = max(height - 1, 1)
        place = self._find(ordered)
        self._top = max(min(self._top, place, len(ordered) - height), place - height + 1, 0)
        shown = ordered[self._top : self._top + max(height, 0)]
        self.shown = tuple(camera.name for camera in shown)
        return [
            Row(
                camera,
                camera.name == self._selected,
                self._age_of(camera, now_s),
                tuple(self._rates.get(camera.name, ())),
            )
            for camera in shown
        ]

    @property
    def top(self) -> int:
        """How many rows are above those that were last asked for."""
        return self._top

    def ordered(self) -> list[Camera]:
        """Return the cameras that the filter lets through, in order."""
        wanted = self.filter.casefold().split()
        cameras = [camera for camera in self._cameras.values() if self._is_wanted(camera, wanted)]
        key = _KEYS[self.order]
        # Sorted twice, so that cameras that are equal are in the order of names, whichever way round.
        cameras.sort(key=_by_name, reverse=self.is_reversed and self.order is Order.NAME)
        if self.order is not Order.NAME:
            cameras.sort(key=key, reverse=self.is_reversed)
        return cameras

    def _is_wanted(self, camera: Camera, words: Sequence[str]) -> bool:
        if self.only_trouble and not camera.is_troubled:
            return False
        if not words:
            return True
        seen = f"{camera.name} {camera.title} {camera.state} {camera.codec} {camera.reason}".casefold()
        return all(word in seen for word in words)

    def _type(self, key: str) -> None:
        match key:
            case keys.ENTER:
                self.is_typing = False
            case keys.ESCAPE:
                self.is_typing, self.filter = False, ""
            case keys.BACKSPACE:
                self.filter = self.filter[:-1]
            case keys.CLEAR:
                self.filter = ""
            case keys.UP:
                self._move(-1)
            case keys.DOWN:
                self._move(1)
            case _ if len(key) == 1 and len(self.filter) < MAX_FILTER_CHARS:
                self.filter += key

    def _change_list(self, key: str) -> None:
        match key:
            case "/":
                self.is_typing = True
            case "s":
                self.order, self.is_reversed = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)], False
            case "S":
                self.order, self.is_reversed = ORDERS[ORDERS.index(self.order) - 1], False
            case "r":
                self.is_reversed = not self.is_reversed
            case "d":
                self.only_trouble = not self.only_trouble
            case keys.ESCAPE if self.shows_details:
                self.shows_details = False
            case keys.ESCAPE:
                self.filter, self.only_trouble = "", False

    def _move(self, steps: int) -> None:
        ordered = self.ordered()
        if ordered:
            place = max(0, min(self._find(ordered) + steps, len(ordered) - 1))
            self._selected, self._place = ordered[place].name, place

    def _find(self, ordered: Sequence[Camera]) -> int:
        """Return where the selected camera is; where it is not to be seen, another is selected there."""
        place = next((place for place, camera in enumerate(ordered) if camera.name == self._selected), None)
        if place is None:
            place = max(0, min(self._place, len(ordered) - 1))
            self._selected = ordered[place].name if ordered else ""
        self._place = place
        return place

    def _age_of(self, camera: Camera, now_s: float) -> float | None:
        """Of a live camera what was told, as long as that is fresh; of another one it grows: no frame comes."""
        if camera.frame_age_s is None:
            return None
        since_s = now_s - camera.heard_s
        if camera.state == LIVE and not self.is_lost:
            return camera.frame_age_s if since_s <= FRESH_S else None
        return camera.frame_age_s + since_s
