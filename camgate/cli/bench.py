"""`camgate bench`: what this machine carries."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import trio
import typer
from rich.console import Console

from camgate.cli.exits import FAILED, exit_codes
from camgate.cli.options import is_web_address
from camgate.cli.serve import STOP_SIGNALS

if TYPE_CHECKING:
    from camgate.bench.figures import Result

MAX_CAMERAS = 500
MAX_VIEWERS = 5_000
DEFAULT_MOST = 2_000


def bench(
    cameras: Annotated[int, typer.Option(min=1, max=MAX_CAMERAS, help="Built-in cameras.")] = 1,
    viewers: Annotated[int, typer.Option(min=1, max=MAX_VIEWERS, help="Viewers, who take the cameras in turn.")] = 50,
    full: Annotated[int, typer.Option(min=0, help="How many of them take all packets and check them.")] = 2,
    rate: Annotated[float, typer.Option(min=0.1, max=200, help="Joins a second.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, max=300, help="How long to measure.")] = 8,
    bitrate: Annotated[float, typer.Option(min=0.05, max=50, help="A camera's bit rate in Mbit/s.")] = 2,
    fps: Annotated[int, typer.Option(min=1, max=60, help="A camera's pictures a second.")] = 25,
    gop: Annotated[float, typer.Option(min=0.1, max=10, help="Seconds between key frames.")] = 2,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="A camera's picture.")] = "1280x720",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    find_limit: Annotated[
        bool, typer.Option("--find-limit", help="Raise the viewers until the delay's p99 passes 250 ms or loss begins.")
    ] = False,
    max_viewers: Annotated[
        int, typer.Option(min=1, max=MAX_VIEWERS, help="Where --find-limit ends at the latest.")
    ] = DEFAULT_MOST,
    lone: Annotated[
        bool, typer.Option("--lone", help="Add a camera with one viewer, and tell what the others add to his delay.")
    ] = False,
    storm: Annotated[
        int, typer.Option(min=0, max=MAX_VIEWERS, help="Then let so many more join, fast, and tell what others notice.")
    ] = 0,
    storm_rate: Annotated[float, typer.Option(min=1, max=200, help="Joins a second of --storm.")] = 100,
    whep: Annotated[
        str | None, typer.Option(metavar="URL", help="Measure this WHEP server; %d or {camera} is the camera's number.")
    ] = None,
    pid: Annotated[int | None, typer.Option(min=1, help="Its process, for CPU and memory.")] = None,
    rtsp_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where the built-in cameras are, for --whep: /cam0, /cam1 ...")
    ] = None,
) -> None:
    """Measure what this machine carries: built-in cameras, real viewers, a server in a process of its own."""
    width, height = _size(size)
    if whep is not None and not is_web_address(whep):
        raise typer.BadParameter("is no address of a WHEP endpoint; write http://HOST:PORT/PATH", param_hint="--whep")
    if (pid or rtsp_port) and not whep:
        raise typer.BadParameter("is for --whep", param_hint="--pid" if pid else "--rtsp-port")
    if storm and find_limit:
        raise typer.BadParameter("does not go with --find-limit", param_hint="--storm")
    from camgate.bench.clip import ClipSettings  # the codecs take most of a second: mistakes are told before
    from camgate.bench.report import ProgressBar, table_of
    from camgate.bench.run import BenchSettings, run_bench

    settings = BenchSettings(
        cameras=cameras,
        viewers=viewers,
        full=full,
        rate=rate,
        seconds=seconds,
        lone=lone,
        storm=storm,
        storm_rate=storm_rate,
        clip=ClipSettings(width=width, height=height, fps=fps, bitrate_bps=round(bitrate * 1e6), gop_s=gop),
        whep=whep,
        pid=pid,
        rtsp_port=rtsp_port,
        max_viewers=max(viewers, max_viewers) if find_limit else None,
    )
    with exit_codes(), ProgressBar() as progress:
        result = trio.run(_until_signalled, partial(run_bench, settings, progress))
    if result is None:
        typer.echo("camgate: stopped before there were figures", err=True)
        raise typer.Exit(FAILED)
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=1))
    else:
        Console().print(table_of(result))
        typer.echo(result.conclusion())
    if result.has_failed:
        raise typer.Exit(FAILED)


async def _until_signalled(benchmark: Callable[[], Awaitable["Result"]]) -> "Result | None":
    """Return the result, None where a signal came first; the benchmark's processes end either way."""
    result = None
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, signals, nursery.cancel_scope)
            result = await benchmark()
            nursery.cancel_scope.cancel()
    return result


async def _cancel_on_signal(signals: AsyncIterator[int], benchmark: trio.CancelScope) -> None:
    async for _ in signals:
        benchmark.cancel()


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and len(text) < 12):
        raise typer.BadParameter("must be WIDTHxHEIGHT, such as 1280x720", param_hint="--size")
    if int(width) % 2 or int(height) % 2 or not (64 <= int(width) <= 4096 and 64 <= int(height) <= 4096):
        raise typer.BadParameter("needs even numbers from 64 to 4096", param_hint="--size")
    return int(width), int(height)
