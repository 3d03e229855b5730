"""Bad networks in virtual time: camgate's sender and peer, a seeded path with loss both ways, and a browser behind it.

What freezes at most was measured over eight seeds; the bounds are the worst of them and about half as much again.
"""

import os
from dataclasses import dataclass, replace

import pytest
import trio
from trio.testing import MockClock

from camgate.serve.webrtc import recovery
from camgate.serve.webrtc.viewer import RETRANSMIT_BURST_PACKETS, RETRANSMIT_PACKETS_PER_S
from tests.fakes.browser import Watching, watching
from tests.fakes.lossy import FPS, CameraSettings, LossyViewer, lossy_scene
from tests.fakes.network import Impairment

DELAY_S = 0.02
WATCH_S = 12.0
SETTLED_S = 3.0
BOTTLENECK_BPS = 3_000_000
SMALL_QUEUE = Impairment(delay_s=DELAY_S, rate_bps=BOTTLENECK_BPS, queue_bytes=37_500)
"""A tenth of a second: less than half of a key frame."""
LARGE_QUEUE = replace(SMALL_QUEUE, queue_bytes=93_750)


@dataclass(frozen=True)
class Bounds:
    """frozen: share of the watch that freezes may take. longest_s: of one. first_s: until the first picture."""

    frozen: float
    longest_s: float
    first_s: float


CHANCE = Bounds(frozen=0.1, longest_s=0.6, first_s=0.5)
PATHS = {
    "clean": (Impairment(delay_s=DELAY_S), Bounds(0, 0, 0.05)),
    "2 %": (Impairment(loss=0.02, delay_s=DELAY_S), CHANCE),
    "5 %": (Impairment(loss=0.05, delay_s=DELAY_S), replace(CHANCE, frozen=0.15)),
    "10 %": (Impairment(loss=0.10, delay_s=DELAY_S), Bounds(0.25, 0.8, 1.2)),
    "5 % in runs": (Impairment(loss=0.05, loss_run=5, delay_s=DELAY_S), replace(CHANCE, frozen=0.15, longest_s=1.0)),
    "reordered, duplicated": (Impairment(reorder=0.05, duplicate=0.05, delay_s=DELAY_S), Bounds(0, 0, 0.1)),
    "both and 2 %": (Impairment(loss=0.02, reorder=0.2, duplicate=0.1, delay_s=DELAY_S), CHANCE),
    "jitter": (Impairment(jitter_s=0.1, delay_s=DELAY_S), Bounds(0.02, 0.3, 0.3)),
    "jitter and 2 %": (Impairment(jitter_s=0.1, loss=0.02, delay_s=DELAY_S), replace(CHANCE, frozen=0.45)),
    "small queue": (SMALL_QUEUE, Bounds(0.2, 1.0, 1.0)),
    "small queue and 2 %": (replace(SMALL_QUEUE, loss=0.02), Bounds(0.35, 2.0, 1.0)),
    "large queue": (LARGE_QUEUE, Bounds(0.2, 1.2, 1.0)),
    "large queue, reordered, 2 %": (replace(LARGE_QUEUE, loss=0.02, reorder=0.05), Bounds(0.4, 2.0, 1.0)),
}


def seeds(usual: int) -> tuple[int, ...]:
    """Return the chances to try: one is enough each time, `make test-full` takes more."""
    return (1, 2, 3) if os.environ.get("HYPOTHESIS_PROFILE") == "full" else (usual,)


@dataclass(frozen=True)
class Watched:
    viewer: LossyViewer
    seen: Watching
    first_s: float
    last_number: int
    published: int
    overflowed_late: int
    """Packets that the bottleneck had no room for after the join's first seconds."""


async def watch(path: Impairment, seed: int, camera: CameraSettings | None = None) -> Watched:
    async with lossy_scene(camera or CameraSettings(seed=seed)) as scene:
        await trio.sleep(3.0 + seed * 0.37)
        began_s = trio.current_time()
        # RTCP is small: it is lost on the way back, too, but needs no room in the bottleneck's queue.
        viewer = scene.join(path, replace(path, rate_bps=0), seed)
        await trio.sleep(SETTLED_S)
        counts = viewer.down.link.counts
        overflowed = counts.overflowed
        await trio.sleep(WATCH_S - SETTLED_S)
        shown = viewer.browser.shown
        assert shown, "no picture at all"
        seen = watching(shown, trio.current_time())
        published = len(scene.camera.published_s)
        first_s = shown[0].at_s - began_s
        return Watched(viewer, seen, first_s, shown[-1].number, published, counts.overflowed - overflowed)


@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for place, name in enumerate(PATHS) for seed in seeds(1 + place % 3)]
)
async def test_video_plays_to_the_end(autojump_clock: MockClock, name: str, seed: int) -> None:
    path, bounds = PATHS[name]
    watched = await watch(path, seed)
    assert watched.published - watched.last_number < FPS, "the last picture is a second old at the most"
    assert sum(watched.seen.freezes) <= bounds.frozen * WATCH_S
    assert max(watched.seen.freezes, default=0) <= bounds.longest_s
    assert watched.first_s <= bounds.first_s
    statistics = watched.viewer.viewer.statistics()
    assert statistics.packets_retransmitted <= RETRANSMIT_BURST_PACKETS + RETRANSMIT_PACKETS_PER_S * WATCH_S


@pytest.mark.parametrize("name", ["2 %", "5 %", "10 %", "both and 2 %", "jitter and 2 %"])
async def test_chance_loss_slows_nobody_down(autojump_clock: MockClock, name: str) -> None:
    for seed in seeds(1):
        watched = await watch(PATHS[name][0], seed)
        assert watched.viewer.viewer.pace is None


@pytest.mark.parametrize("path", [SMALL_QUEUE, LARGE_QUEUE])
async def test_pacing_keeps_a_bottleneck_from_overflowing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, path: Impairment
) -> None:
    paced = await watch(path, 1)
    monkeypatch.setattr(recovery, "MANY_AT_ONCE", 1 << 16)
    at_once = await watch(path, 1)
    lost, lost_at_once = paced.overflowed_late, at_once.overflowed_late
    frozen_s, frozen_at_once_s = sum(paced.seen.freezes), sum(at_once.seen.freezes)
    print(f"\npaced: {lost} packets did not fit, {frozen_s:.1f} s frozen")
    print(f"at once: {lost_at_once} packets did not fit, {frozen_at_once_s:.1f} s frozen")
    assert 3 * lost < lost_at_once
    assert 2 * frozen_s < frozen_at_once_s
