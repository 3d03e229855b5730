"""Figures as short texts, of a few columns each."""

from collections.abc import Iterable, Sequence

from camgate.tui.facts import Camera, Process

SPARKS = "▁▂▃▄▅▆▇█"
KILO, MEGA, GIGA = 1e3, 1e6, 1e9


def bits(rate_bps: float | None) -> str:
    """A bit rate: `2.1 Mb`, `640 kb`; empty where it is unknown."""
    if rate_bps is None:
        return ""
    if rate_bps >= 999.5 * KILO:
        return f"{rate_bps / MEGA:.{1 if rate_bps < 99.95 * MEGA else 0}f} Mb"
    return f"{rate_bps / KILO:.0f} kb"


def size(amount_bytes: float | None) -> str:
    """An amount of memory: `61 MB`, `1.2 GB`; empty where it is unknown."""
    if amount_bytes is None:
        return ""
    if amount_bytes >= 999.5 * MEGA:
        return f"{amount_bytes / GIGA:.1f} GB"
    return f"{amount_bytes / MEGA:.0f} MB"


def span(time_s: float | None) -> str:
    """A time of two figures: `40 ms`, `3.2 s`, `4 min`, `5 h`, `12 d`; empty where it is unknown."""
    if time_s is None:
        return ""
    if time_s < 0.9995:
        return f"{max(time_s, 0) * 1000:.0f} ms"
    if time_s < 9.95:
        return f"{time_s:.1f} s"
    for unit, seconds, until in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 48), ("d", 86_400, float("inf"))):
        if time_s < seconds * until:
            return f"{time_s / seconds:.0f} {unit}"
    raise AssertionError("there is no time beyond all time")


def plain(value: float | None, digits: int = 0) -> str:
    """A number; empty where it is unknown."""
    return "" if value is None else f"{value:.{digits}f}"


def share(value: float | None) -> str:
    """A share of one: `1.3 %`; empty where it is unknown."""
    return "" if value is None else f"{100 * value:.1f} %"


def sparkline(rates: Sequence[float], width: int) -> str:
    """The latest `width` of some figures as blocks, from nothing to the largest of them, at the right end."""
    shown = rates[-width:] if width > 0 else ()
    top = max(shown, default=0)
    if top <= 0:
        return (SPARKS[0] * len(shown)).rjust(width)
    return "".join(SPARKS[round(max(rate, 0) / top * (len(SPARKS) - 1))] for rate in shown).rjust(width)


def of_process(process: Process | None) -> str:
    """camgate itself, on a line."""
    if process is None:
        return "no figures of the process"
    by_transport = ", ".join(f"{count} {way}" for way, count in process.by_transport.items() if count)
    parts = [
        _many(process.viewers, "viewer") + (f" ({by_transport})" if by_transport else ""),
        _many(process.rtsp_clients, "RTSP client") if process.rtsp_clients else "",
        "" if process.share is None else f"load {process.share:.0%} of a core",
        _named("lag", span(process.lag_s)),
        _named("delay", span(process.delay_s)),
        _named("memory", size(process.memory_bytes)),
        f"{process.joins_refused} joins refused" if process.joins_refused else "",
        f"{process.sheds} times skipped to a key frame" if process.sheds else "",
        f"at its limit: {', '.join(process.at_limit)}" if process.at_limit else "",
    ]
    return " · ".join(part for part in parts if part)


def of_cameras(cameras: Iterable[Camera]) -> str:
    """How many cameras there are, and how they are: `500 cameras: 480 live, 12 down, 8 idle`."""
    every = list(cameras)
    live = sum(camera.state == "live" for camera in every)
    down = sum(camera.is_down for camera in every)
    unwell = sum(camera.is_troubled and not camera.is_down for camera in every)
    resting = len(every) - live - down
    counts = [f"{count} {word}" for count, word in ((live, "live"), (down, "down"), (resting, "idle")) if count]
    if unwell:
        counts.append(f"{unwell} live but unwell")
    return _many(len(every), "camera") + (f": {', '.join(counts)}" if counts else "")


def _named(name: str, value: str) -> str:
    return f"{name} {value}" if value else ""


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
