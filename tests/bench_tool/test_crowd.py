"""What many viewers got, summed up."""

from typing import cast

import pytest

from camgate.bench.crowd import camera_url, places_of_full, sum_up_windows
from camgate.bench.reception import Reception, Window
from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate

CERTIFICATE = Certificate()
CAMERAS = 2


class Watcher:
    """Stands for a viewer that has seen `window`."""

    def __init__(self, camera: int, window: Window, *, full: bool = False) -> None:
        self.settings = ViewerSettings(url="", camera=camera, number=0, full=full, certificate=CERTIFICATE)
        self.reception = Reception(full=full)
        self.reception.window = window
        self.refused_in_window = 0


def summed(*watchers: Watcher):  # type: ignore[no-untyped-def]
    return sum_up_windows(cast(list[Viewer], list(watchers)), 10.0, CAMERAS)


def test_light_viewers_stand_for_all_their_packets() -> None:
    full = Watcher(0, Window(received=1_600, octets=1_600_000, last_index=1_600, delays_s=[0.01]), full=True)
    light = Watcher(0, Window(received=50, last_index=1_600, delays_s=[0.02]))
    measured = summed(full, light)
    assert (measured.delivered, measured.expected) == (3_200, 3_200)
    assert measured.bps_of_full_viewer == 1_280_000
    assert measured.delay.samples == 2
    assert measured.is_undisturbed


def test_loss() -> None:
    measured = summed(Watcher(0, Window(received=49, last_index=1_600)))
    assert measured.expected - measured.delivered == 32
    assert not measured.is_whole


def test_a_viewer_that_stands_still_is_held_against_the_others() -> None:
    measured = summed(Watcher(0, Window(received=50, last_index=1_600)), Watcher(0, Window()), Watcher(1, Window()))
    assert (measured.stalled, measured.expected, measured.delivered) == (2, 3_200, 1_600)
    assert not measured.is_whole


def test_a_light_viewer_that_saw_none_of_few_packets_does_not_stand_still() -> None:
    full = Watcher(0, Window(received=40, last_index=40), full=True)
    assert summed(full, Watcher(0, Window())).is_whole
    full.reception.window = Window(received=70, last_index=70)
    assert summed(full, Watcher(0, Window())).stalled == 1


def test_frames_left_out_show_beside_a_full_viewer_of_the_same_camera() -> None:
    full = Watcher(0, Window(received=900, last_index=900, frames={n: 9 * n for n in range(100)}), full=True)
    light = Watcher(0, Window(received=28, last_index=896, frames={10: 90, 90: 810 - 27}))
    other = Watcher(1, Window(received=28, last_index=896, frames={10: 90, 90: 5}))
    assert summed(full, light, other).left_out == 27


def test_a_full_viewer_that_missed_frames_itself_is_no_measure_for_others() -> None:
    frames = {n: 9 * n for n in range(100)}
    full = Watcher(0, Window(received=900, last_index=900, frames=frames, frames_missing=1), full=True)
    light = Watcher(0, Window(received=28, last_index=896, frames={10: 90, 90: 810 - 27}))
    assert summed(full, light).left_out == 0


@pytest.mark.parametrize("template", ["http://a/cam%d/whep", "http://a/cam{camera}/whep"])
def test_urls_of_cameras(template: str) -> None:
    assert camera_url(template, 7) == "http://a/cam7/whep"


def test_the_lone_viewers_delay_is_apart_from_the_crowds() -> None:
    crowd = Watcher(0, Window(received=50, last_index=1_600, delays_s=[0.02]))
    lone = Watcher(CAMERAS, Window(received=900, last_index=900, delays_s=[0.001, 0.003]), full=True)
    measured = summed(crowd, lone)
    assert (measured.delivered, measured.expected) == (2_500, 2_500)
    assert measured.delay.samples == 1
    assert measured.lone is not None
    assert measured.lone.max == 3.0


@pytest.mark.parametrize(
    ("viewers", "cameras", "full", "places"),
    [
        (100, 1, 2, {0, 99}),
        (100, 1, 3, {0, 49, 99}),
        (100, 1, 1, {0}),
        (20, 4, 4, {0, 5, 10, 19}),
        (20, 4, 2, {0, 17}),
        (3, 1, 5, {0, 1, 2}),
        (4, 8, 2, {0, 1}),
        (50, 1, 0, set()),
    ],
)
def test_full_viewers_stand_from_the_first_to_the_last_and_take_the_cameras_in_turn(
    viewers: int, cameras: int, full: int, places: set[int]
) -> None:
    assert places_of_full(viewers, cameras, full) == places


@pytest.mark.parametrize("cameras", [1, 3, 7])
@pytest.mark.parametrize("viewers", range(1, 40, 3))
def test_no_full_viewer_is_missing(viewers: int, cameras: int) -> None:
    for full in range(viewers + 3):
        places = places_of_full(viewers, cameras, full)
        assert len(places) == min(full, viewers)
        assert all(0 <= place < viewers for place in places)
