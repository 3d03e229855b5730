"""The figures of a benchmark as plain values, how they are reckoned, and what they say.

Each class is one step's outcome and crosses the link between the processes as JSON.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

DELAY_LIMIT_MS = 250.0
"""A delay that people who talk with somebody in the picture begin to notice; it bounds camgate's queues, too."""
CARRIED_SHARE = 0.8
"""How much of a core a server should use at most, so that a burst of joins or large key frames still fits."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the tail of some measured values, in milliseconds; None where there were none."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None
    samples: int

    @classmethod
    def of_seconds(cls, values: Sequence[float]) -> "Spread":
        """Sum up values in seconds."""
        ordered = sorted(values)
        p50, p95, p99, most = (_quantile_ms(ordered, share) for share in (0.5, 0.95, 0.99, 1.0))
        return cls(p50, p95, p99, most, len(ordered))


def _quantile_ms(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile."""
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000, 2) if ordered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """How the joins went; times are from the offer's POST. `key_frame`: until the first one was whole."""

    viewers: int
    connected: int
    errors: int
    first_error: str | None
    connect: Spread
    first_packet: Spread
    key_frame: Spread
    key_frames_seen: int
    pictures_decoded: int
    pictures_failed: int
    """First key frames of full viewers that a decoder did not take."""
    cpu_s: float
    """The server's, from before the first join to the end of the time for settling."""
    elapsed_s: float
    viewer_seconds: float
    """Summed up time that viewers, those of before included, were connected in that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one window of steady watching gave. All counts are of packets, but for `frames_missing`."""

    elapsed_s: float
    delivered: int
    expected: int
    refused: int
    """That did not authenticate."""
    left_out: int
    """That the server spared a viewer without a gap: frames that it dropped."""
    frames_missing: int
    """At full viewers, by their numbers."""
    stalled: int
    """Viewers that got less than half of what another one of the same camera got."""
    bps_of_full_viewer: float
    cpu_s: float
    memory_bytes: int
    delay: Spread
    lone: Spread | None = None
    """The delay of the viewer who has a camera for himself; the crowd's is in `delay`."""

    @property
    def delivered_percent(self) -> float:
        """Share of the packets sent that arrived."""
        return 100 * self.delivered / self.expected if self.expected else 0.0

    @property
    def is_whole(self) -> bool:
        """Whether all that the server sent arrived, at all viewers."""
        return 0 < self.expected <= self.delivered and not self.stalled and not self.refused

    @property
    def is_undisturbed(self) -> bool:
        """Whether, beyond that, no frame was dropped and none was too late."""
        in_time = self.delay.p99 is None or self.delay.p99 <= DELAY_LIMIT_MS
        return self.is_whole and in_time and not self.left_out and not self.frames_missing


def joined_of(message: dict[str, Any]) -> Joined:
    """Read from the link."""
    spreads = {name: Spread(**message[name]) for name in ("connect", "first_packet", "key_frame")}
    return Joined(**{**message, **spreads})


def measured_of(message: dict[str, Any]) -> Measured:
    """Read from the link."""
    lone = message["lone"]
    return Measured(**{**message, "delay": Spread(**message["delay"]), "lone": lone and Spread(**lone)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Many joins at once beside those who watch."""

    rate: float
    """Joins a second."""
    joined: Joined
    watchers: Measured
    """Of those who watched before, from the first join to the end of the last."""
    after: Measured
    """All of them, once it is over."""

    @property
    def is_right(self) -> bool:
        """Whether all joined and the others lost nothing."""
        return self.joined.connected == self.joined.viewers == self.joined.key_frames_seen and self.watchers.is_whole


def storm_of(message: dict[str, Any]) -> Storm:
    """Read from the link."""
    watchers, after = measured_of(message["watchers"]), measured_of(message["after"])
    return Storm(rate=message["rate"], joined=joined_of(message["joined"]), watchers=watchers, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """The server with cameras and without viewers. Memory of a camera: its key-frame cache apart, None if unknown."""

    cameras: int
    cpu_s: float
    elapsed_s: float
    memory_bytes: int
    camera_bytes: float | None = None
    cache_bytes: float | None = None
    """Of a camera, at the time of measuring."""
    live_s: float | None = None
    """From when the cameras could first be reached until all were live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A whole benchmark."""

    cameras: int
    viewers: int
    camera_bps: float | None
    """What the built-in cameras send; None where the server has its own."""
    idle: Idle | None
    """None where the server's process is not known."""
    joined: Joined
    measured: Measured
    lag: Spread | None = None
    """How late the server's event loop ran its tasks meanwhile, by its own account."""
    answers: Spread | None = None
    """How long the server took meanwhile to answer GET /healthz."""
    carried: int | None = None
    """With a search for the limit: the most viewers that were not disturbed."""
    alone: Spread | None = None
    """The delay of the viewer with a camera for himself before the crowd came."""
    storm: Storm | None = None

    @property
    def cpu_percent(self) -> float:
        """The server's share of one core while it was watched."""
        return 100 * self.measured.cpu_s / self.measured.elapsed_s

    @property
    def cpu_us_per_packet(self) -> float | None:
        """All CPU of the server, cameras included, for each packet that arrived at a viewer."""
        return _ratio(self.measured.cpu_s * 1e6, self.measured.delivered, self.idle)

    @property
    def cpu_percent_per_idle_camera(self) -> float | None:
        """Share of a core that a camera takes while nobody watches."""
        return None if self.idle is None else 100 * self.idle.cpu_s / self.idle.elapsed_s / self.idle.cameras

    @property
    def cpu_ms_per_join_at_most(self) -> float | None:
        """CPU a join, with all that was sent to those who had joined before."""
        return _ratio(self.joined.cpu_s * 1e3, self.joined.viewers, self.idle)

    @property
    def cpu_ms_per_join(self) -> float | None:
        """CPU a join, its burst included, without the live packets: these cost as much as they did afterwards."""
        if self.idle is None:
            return None
        return _cpu_ms_per_join(self.joined, 0, self.idle.cpu_s / self.idle.elapsed_s, self.viewers, self.measured)

    @property
    def cpu_ms_per_join_in_storm(self) -> float | None:
        """The same while many join at once."""
        if self.storm is None or self.idle is None:
            return None
        viewers = self.viewers + self.storm.joined.connected
        before = self.measured.cpu_s / self.measured.elapsed_s
        return _cpu_ms_per_join(self.storm.joined, self.viewers, before, viewers, self.storm.after)

    @property
    def lone_p99_added_ms(self) -> float | None:
        """What the crowd adds to the delay of a viewer with a camera for himself."""
        alone, beside = _p99(self.alone), _p99(self.measured.lone)
        return None if alone is None or beside is None else beside - alone

    @property
    def viewer_bytes(self) -> float | None:
        """Memory that a viewer added."""
        return None if self.idle is None else (self.measured.memory_bytes - self.idle.memory_bytes) / self.viewers

    @property
    def is_delivery_right(self) -> bool:
        """Whether every viewer connected, saw a key frame that can be decoded, and got all that was sent to it."""
        joined = self.joined
        all_there = joined.connected == joined.viewers == joined.key_frames_seen
        return all_there and not joined.pictures_failed and self.measured.is_whole

    @property
    def has_failed(self) -> bool:
        """Whether delivery was wrong; a search for the limit may end so, but not begin so."""
        storm_failed = self.storm is not None and not self.storm.is_right
        return storm_failed or (not self.is_delivery_right and not self.carried)

    def as_json(self) -> dict[str, Any]:
        """Return everything, reckoned figures included."""
        figures = {
            "connected": self.joined.connected,
            "delivered_percent": self.measured.delivered_percent,
            "packets_per_s": self.measured.delivered / self.measured.elapsed_s,
            "cpu_percent": None if self.idle is None else self.cpu_percent,
            "cpu_us_per_packet": self.cpu_us_per_packet,
            "cpu_percent_per_idle_camera": self.cpu_percent_per_idle_camera,
            "cpu_ms_per_join": self.cpu_ms_per_join,
            "cpu_ms_per_join_at_most": self.cpu_ms_per_join_at_most,
            "cpu_ms_per_join_in_storm": self.cpu_ms_per_join_in_storm,
            "lone_p99_added_ms": self.lone_p99_added_ms,
            "memory_bytes_per_viewer": self.viewer_bytes,
            "memory_bytes_per_camera": None if self.idle is None else self.idle.camera_bytes,
            "delivery_is_right": self.is_delivery_right,
            "conclusion": self.conclusion(),
        }
        rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}
        return {**rounded, **asdict(self)}

    def conclusion(self) -> str:
        """Say in a sentence or two what the machine can carry."""
        return " ".join(filter(None, (self._crowd_sentence(), self._storm_sentence())))

    def _crowd_sentence(self) -> str:
        whom = f"{self.viewers} viewers of {self.cameras} camera{'s' if self.cameras > 1 else ''}"
        if self.carried is not None:
            return self._limit()
        if not self.is_delivery_right:
            return f"The server did not serve {whom}: {self._fault()}."
        if not self.measured.is_undisturbed:
            return f"The server reached all {whom}, but this machine is too slow for them now: {self._fault()}."
        if self.idle is None:
            return f"The server carries {whom}; with --pid it can be said how many more."
        return f"This machine carries {whom}, with {self.cpu_percent:.0f} % of a core. {self._estimate()}"

    def _estimate(self) -> str:
        assert self.idle is not None
        idle_share = self.idle.cpu_s / self.idle.elapsed_s
        per_viewer = (self.measured.cpu_s / self.measured.elapsed_s - idle_share) / self.viewers
        if per_viewer <= 0 or idle_share >= CARRIED_SHARE:
            return "Longer runs with more viewers tell where its limit is."
        most = int((CARRIED_SHARE - idle_share) / per_viewer)
        return f"One camgate process, at {CARRIED_SHARE:.0%} of a core, should carry about {most} viewers of them."

    def _storm_sentence(self) -> str | None:
        if self.storm is None:
            return None
        joined, watchers = self.storm.joined, self.storm.watchers
        failed = joined.viewers - min(joined.connected, joined.key_frames_seen)
        why = f" ({joined.first_error})" if joined.first_error else ""
        lost = "" if watchers.is_whole else f", and {watchers.delivered_percent:.2f} % of the others' packets arrived"
        return (
            f"Of {joined.viewers} who joined at {self.storm.rate:g} a second {failed or 'none'} failed{why}{lost}; "
            f"the delay's p99 was {watchers.delay.p99} ms for the others."
        )

    def _limit(self) -> str:
        if not self.carried:
            return f"This machine did not even carry {self.viewers} viewers: {self._fault()}."
        if self.measured.is_undisturbed:
            return f"This machine carries {self.carried} viewers, the most that were asked for."
        return f"This machine carries {self.carried} viewers; at {self.viewers}: {self._fault()}."

    def _fault(self) -> str:
        joined, measured = self.joined, self.measured
        faults = {
            f"{joined.viewers - joined.connected} did not connect ({joined.first_error})": (
                joined.viewers - joined.connected
            ),
            f"{joined.connected - joined.key_frames_seen} saw no key frame": joined.connected - joined.key_frames_seen,
            f"{joined.pictures_failed} got a key frame that cannot be decoded": joined.pictures_failed,
            f"{measured.stalled} stood still": measured.stalled,
            f"{measured.refused} packets did not authenticate": measured.refused,
            f"{measured.delivered_percent:.2f} % of the packets arrived": measured.expected - measured.delivered,
            f"frames were left out ({measured.left_out} packets, {measured.frames_missing} frames)": (
                measured.left_out + measured.frames_missing
            ),
            f"the delay's p99 was {measured.delay.p99} ms": (measured.delay.p99 or 0) > DELAY_LIMIT_MS,
        }
        return "; ".join(sentence for sentence, count in faults.items() if count) or "nothing arrived"


def _p99(spread: Spread | None) -> float | None:
    return None if spread is None else spread.p99


def _ratio(value: float, count: int, idle: Idle | None) -> float | None:
    return value / count if count and idle is not None else None


def _cpu_ms_per_join(joined: Joined, before: int, share_before: float, after: int, measured: Measured) -> float | None:
    """Return the CPU a join beyond what watching cost meanwhile.

    Watching is taken to cost a share of a core that grows evenly with the viewers, from `share_before` for those
    `before` the joins to what was measured for all `after` them.
    """
    if not joined.connected or after <= before:
        return None
    per_viewer = (measured.cpu_s / measured.elapsed_s - share_before) / (after - before)
    constant = share_before - per_viewer * before
    watching_s = constant * joined.elapsed_s + per_viewer * joined.viewer_seconds
    return max(0.0, joined.cpu_s - watching_s) * 1e3 / joined.connected
