"""What a soak came to: as a table, as JSON, as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tests.soak.growth import MOST_PERCENT_AN_HOUR, Growth, Verdict, growth_of
from tests.soak.samples import Sample

MEMORY = "memory_bytes"
JUDGED = (MEMORY, "descriptors", "tasks")
"""What must not grow. The rest is for reading."""
UNITS: Mapping[str, tuple[str, float]] = {
    "memory_bytes": ("memory, MB", 1e-6),
    "descriptors": ("files", 1),
    "threads": ("threads", 1),
    "tasks": ("tasks", 1),
    "lag_s": ("lag, ms", 1e3),
    "delay_s": ("delay, ms", 1e3),
    "lost_frames": ("missed", 1),
}
"""How each figure is called and what it is multiplied by. Lag: how late camgate's tasks have their turn. Delay: how old
a frame is when its last viewer is sent it. Missed: the watcher's frames."""
ROWS = 12
"""Of the table over time: each the mean of so many parts of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A soak, over. warm_s: what was left out of the growth at the beginning. forgive: frames that may be missed."""

    samples: Sequence[Sample]
    warm_s: float
    counts: Mapping[str, int]
    watcher_frames: int
    lost_packets: int
    lost_frames: int
    held_up: int
    """What it missed while the machine was busy with other things."""
    forgive: int = 0
    growths: Mapping[str, Growth | None] = field(init=False)

    def __post_init__(self) -> None:
        measured = [sample for sample in self.samples if sample.at_s >= self.warm_s]
        times = [sample.at_s for sample in measured]
        growths = {name: growth_of(times, [getattr(sample, name) for sample in measured]) for name in JUDGED}
        object.__setattr__(self, "growths", growths)

    def verdict_of(self, name: str) -> Verdict:
        """Judge one figure."""
        growth = self.growths[name]
        return Verdict.UNSURE if growth is None else growth.verdict(is_memory=name == MEMORY)

    @property
    def verdict(self) -> Verdict:
        """Of all that is judged: memory must be steady, and nothing may grow."""
        verdicts = [self.verdict_of(name) for name in JUDGED]
        return Verdict.GROWS if Verdict.GROWS in verdicts else verdicts[0]

    @property
    def problems(self) -> list[str]:
        """What fails it, in sentences."""
        found = []
        for name, growth in self.growths.items():
            if growth is not None and self.verdict_of(name) is Verdict.GROWS:
                words, _ = UNITS[name]
                found.append(f"{words}: grows by {growth.low:.1f} to {growth.high:.1f} % an hour")
        if not self.watcher_frames:
            found.append("the watcher saw nothing")
        if self.lost_packets > self.forgive or self.lost_frames > self.forgive:
            found.append(f"the watcher missed {self.lost_packets} packets and {self.lost_frames} frames")
        return found

    @property
    def conclusion(self) -> str:
        """Say it in a line."""
        if self.problems:
            return f"FAILED: {'; '.join(self.problems)}"
        seen = f"the watcher missed {self.lost_frames} of {self.watcher_frames} frames"
        if self.held_up:
            seen += f", and {self.held_up} for which camgate got no processor in time"
        if self.verdict is Verdict.STEADY:
            return f"PASSED: nothing grows by {MOST_PERCENT_AN_HOUR:g} % an hour or more; {seen}"
        return f"Nothing wrong was seen, but the run was too short to tell whether something grows; {seen}"

    def as_json(self) -> dict[str, Any]:
        """Write for scripts."""
        return {
            "conclusion": self.conclusion,
            "verdict": self.verdict.value,
            "problems": self.problems,
            "warm_s": self.warm_s,
            "counts": dict(self.counts),
            "watcher": {
                "frames": self.watcher_frames,
                "packets_lost": self.lost_packets,
                "frames_lost": self.lost_frames,
                "held_up": self.held_up,
            },
            "growth": {
                name: growth and {**asdict(growth), "verdict": self.verdict_of(name).value}
                for name, growth in self.growths.items()
            },
            "samples": [asdict(sample) for sample in self.samples],
        }


def show(outcome: Outcome, console: Console) -> None:
    """Print the figures over time, their growth, and what follows."""
    counts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.counts.items()))
    console.print(Group(_over_time(outcome), "", _growth(outcome), "", Text(counts), Text(outcome.conclusion)))


def _over_time(outcome: Outcome) -> Table:
    table = Table("time", *(UNITS[name][0] for name in Sample.names()), title="Over time")
    size = max(1, len(outcome.samples) // ROWS)
    for first in range(0, len(outcome.samples), size):
        part = outcome.samples[first : first + size]
        cells = []
        for name in Sample.names():
            values = [getattr(sample, name) * UNITS[name][1] for sample in part]
            cells.append(f"{values[-1] if name == 'lost_frames' else sum(values) / len(values):.1f}")
        style = "dim" if part[-1].at_s < outcome.warm_s else ""
        table.add_row(f"{part[0].at_s // 60:.0f}:{part[0].at_s % 60:02.0f}", *cells, style=style)
    return table


def _growth(outcome: Outcome) -> Table:
    title = f"Growth after {outcome.warm_s / 60:.1f} minutes of warming up"
    table = Table("", "mean", "% an hour", "95 % confidence", "", title=title)
    for name, growth in outcome.growths.items():
        words, factor = UNITS[name]
        if growth is None:
            table.add_row(words, "", "", "", Verdict.UNSURE.value)
            continue
        interval = f"{growth.low:+.2f} to {growth.high:+.2f}"
        table.add_row(
            words, f"{growth.mean * factor:.1f}", f"{growth.slope:+.2f}", interval, outcome.verdict_of(name).value
        )
    return table


def plot(outcome: Outcome, file: Path) -> None:
    """Draw the figures over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = ("memory_bytes", "descriptors", "tasks", "lag_s")
    figure, axes = pyplot.subplots(len(names), 1, sharex=True, figsize=(10, 9), layout="constrained")
    minutes = [sample.at_s / 60 for sample in outcome.samples]
    for axis, name in zip(axes, names, strict=True):
        words, factor = UNITS[name]
        axis.plot(minutes, [getattr(sample, name) * factor for sample in outcome.samples], linewidth=1)
        axis.axvspan(0, outcome.warm_s / 60, color="0.92")
        axis.set_ylabel(words)
        axis.set_ylim(0, 1.15 * (axis.dataLim.ymax or 1))
        axis.grid(alpha=0.3)
        growth = outcome.growths.get(name)
        if growth is not None:
            interval = f"{growth.slope:+.2f} % an hour (95 %: {growth.low:+.2f} to {growth.high:+.2f})"
            axis.set_title(interval, loc="right", fontsize=10)
    axes[-1].set_xlabel("minutes; grey: warming up")
    figure.suptitle(outcome.conclusion, fontsize=11)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
