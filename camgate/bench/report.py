"""A benchmark's figures for people: a table on the terminal, and a bar while it runs."""

from collections.abc import Iterator

from rich import progress
from rich.console import Console
from rich.table import Table

from camgate.bench.figures import Result, Spread, Storm

UNKNOWN = "n/a"
REFRESHES_PER_S = 4
"""Drawing takes time on the processors that are measured."""


class ProgressBar:
    """Shows how far a benchmark is, on standard error. A context manager; see `run.Progress`."""

    def __init__(self) -> None:
        self._bar = progress.Progress(
            progress.TextColumn("{task.description:32}"),
            progress.BarColumn(),
            progress.TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=REFRESHES_PER_S,
        )
        self._task: progress.TaskID | None = None

    def __enter__(self) -> "ProgressBar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def stage(self, name: str, total: float | None = None) -> None:
        """Begin another part."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=total)

    def reach(self, done: float) -> None:
        """Move the bar."""
        assert self._task is not None
        self._bar.update(self._task, completed=done)


def table_of(result: Result) -> Table:
    """Lay all figures out."""
    table = Table("figure", "value", title="camgate bench", title_justify="left")
    table.columns[1].justify = "right"
    for row in _rows(result):
        table.add_row(*row)
    return table


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    joined, measured, idle = result.joined, result.measured, result.idle
    yield "cameras", f"{result.cameras}"
    if idle is not None and idle.live_s is not None:
        yield "all cameras live after", f"{idle.live_s:.1f} s"
    if result.camera_bps is not None:
        yield "a camera's bit rate", f"{result.camera_bps / 1e6:.2f} Mbit/s"
    before = result.viewers - joined.viewers
    yield "viewers connected", f"{before + joined.connected} of {result.viewers}"
    yield "delivered", f"{measured.delivered_percent:.2f} %, {measured.delivered / measured.elapsed_s:.0f} packets/s"
    yield "frames left out", f"{measured.left_out} packets, {measured.frames_missing} frames"
    yield "camera to viewer, p50 / p95 / p99", _spread(measured.delay)
    yield "POST to connected, p50 / p95", _spread(joined.connect, tail=False)
    yield "POST to a whole key frame, p50 / p95", _spread(joined.key_frame, tail=False)
    yield "key frames decoded", f"{joined.pictures_decoded} of {joined.pictures_decoded + joined.pictures_failed}"
    yield "server's CPU", _number(result.cpu_percent if idle else None, "% of a core")
    yield "CPU a packet that arrived", _number(result.cpu_us_per_packet, "us")
    yield "CPU a join, its burst included", _number(result.cpu_ms_per_join, "ms")
    yield "CPU a camera that nobody watches", _number(result.cpu_percent_per_idle_camera, "% of a core", digits=2)
    yield "memory a viewer", _number(_scaled(result.viewer_bytes, 1e3), "kB")
    yield "memory a camera, its key-frame cache apart", _number(_scaled(idle.camera_bytes if idle else None, 1e3), "kB")
    yield "event loop's lag, p50 / p95", _spread(result.lag, tail=False)
    yield "GET /healthz, p50 / p95", _spread(result.answers, tail=False)
    if measured.lone is not None:
        yield "lone viewer before the crowd, p50 / p95 / p99", _spread(result.alone)
        yield "lone viewer beside the crowd, p50 / p95 / p99", _spread(measured.lone)
    if result.storm is not None:
        yield from _storm_rows(result, result.storm)


def _storm_rows(result: Result, storm: Storm) -> Iterator[tuple[str, str]]:
    joined, watchers = storm.joined, storm.watchers
    yield f"joined at {storm.rate:g} a second", f"{joined.connected} of {joined.viewers}"
    yield "delivered to the others meanwhile", f"{watchers.delivered_percent:.2f} %"
    yield "camera to the others, p50 / p95 / p99", _spread(watchers.delay)
    yield "camera to the others, at most", _number(watchers.delay.max, "ms")
    yield "their POST to connected, p50 / p95", _spread(joined.connect, tail=False)
    yield "their POST to a whole key frame, p50 / p95", _spread(joined.key_frame, tail=False)
    yield "CPU a join of them", _number(result.cpu_ms_per_join_in_storm, "ms")


def _spread(spread: Spread | None, *, tail: bool = True) -> str:
    if spread is None or spread.p50 is None:
        return UNKNOWN
    values = (spread.p50, spread.p95, spread.p99) if tail else (spread.p50, spread.p95)
    return " / ".join(f"{value:.1f}" for value in values) + " ms"


def _number(value: float | None, unit: str, *, digits: int = 1) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f} {unit}"


def _scaled(value: float | None, divisor: float) -> float | None:
    return None if value is None else value / divisor
