"""A soak: camgate under trouble for minutes to hours, and what becomes of its memory, descriptors and tasks.

Run: python -m tests.soak [--minutes 5] [--viewers 12] [--json] [--plot FILE] [--leak]

A real camgate with six cameras of the benchmark's. Three of them flap: their cable is cut or torn twice a minute.
Viewers (WHEP, ICE, DTLS, SRTP) come and go, a third of them by a way that loses 5 % both ways, a third of them
leave without a word; the config is reloaded four times a minute, with a camera that comes and goes. One viewer watches
a camera that nobody touches, and must miss nothing.

Ends with 1 where something grows, the watcher missed something, or camgate has ended; with 0 else, and says so where
the run was too short to tell. Ctrl-C or SIGTERM ends it early, with what is known by then. --leak runs a camgate that
keeps eight megabytes at each look at it.
"""

import argparse
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import trio
from rich.console import Console

from camgate.base.errors import RemoteError
from camgate.bench.cameras import CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.link import open_talking_child
from camgate.bench.server import BenchServer, open_server
from tests.fakes.cable import Cable
from tests.fakes.ports import free_port
from tests.soak.load import FLAPPING, STEADY, Config, Flapping, LossyWay, Reloads, Visits, Watching
from tests.soak.report import Outcome, plot, show
from tests.soak.samples import Sample, Waits, take_sample

CLIP = ClipSettings(width=320, height=180, fps=10, bitrate_bps=300_000, gop_s=1.0)
ENCODE_TIMEOUT_S = 120.0
SAMPLES = 600
"""Of a run; at most one a second."""
SILENCE_S = 60.0
"""How long camgate may leave questions without an answer, on a busy machine."""
HELD_UP_S = 0.2
"""In line for a processor between two samples: frames wait for 0.25 s before they are dropped."""
WARM_SHARE, MOST_WARM_S = 0.3, 600.0
"""What is left out at the beginning: caches fill, heaps find their size."""


async def soak(options: argparse.Namespace, progress: Console) -> Outcome:
    """Run it. Raises RemoteError where camgate, or a part of the soak, has ended."""
    async with AsyncExitStack() as parts:
        nursery = await parts.enter_async_context(trio.open_nursery())
        parts.callback(nursery.cancel_scope.cancel)
        is_enough = trio.Event()
        await nursery.start(_hear_signals, is_enough)
        wanted = CamerasSettings(cameras=STEADY + FLAPPING, clip=CLIP).as_message()
        cameras = await parts.enter_async_context(open_talking_child("cameras", "camgate.bench.cameras", wanted))
        port = (await cameras.receive(ENCODE_TIMEOUT_S))["port"]
        await cameras.send({"serve": True})
        cables = [Cable(port) for _ in range(FLAPPING)]
        for cable in cables:
            await nursery.start(cable.run)
        config = Config(port, cables, free_port())
        lossy = LossyWay(config.webrtc_port, options.seed)
        parts.callback(lossy.stop)
        module = "tests.soak.leaky" if options.leak else "camgate"
        running = open_server(port, 0, options.viewers + 100, module=module, more=config.sections())
        server = await parts.enter_async_context(running)
        await server.wait_live()
        return await _disturb(server, config, cables, lossy, options, is_enough, progress)


async def _hear_signals(is_enough: trio.Event, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            is_enough.set()


async def _disturb(
    server: BenchServer,
    config: Config,
    cables: list[Cable],
    lossy: LossyWay,
    options: argparse.Namespace,
    is_enough: trio.Event,
    progress: Console,
) -> Outcome:
    counts: Counter[str] = Counter()
    watching = Watching(server.whep)
    visits = Visits(server.whep, config.names[1:], lossy.port, options.seed, counts)
    reloads = Reloads(config, server.config, server.child.pid, options.seed, counts)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watching.run)
        nursery.start_soon(reloads.run)
        for number, cable in enumerate(cables):
            nursery.start_soon(Flapping(cable, options.seed + number, counts).run)
        for number in range(options.viewers):
            nursery.start_soon(visits.run, number)
        samples = await _look(server, watching, 60 * options.minutes, is_enough, progress)
        nursery.cancel_scope.cancel()
    return Outcome(
        samples=samples,
        warm_s=min(MOST_WARM_S, WARM_SHARE * samples[-1].at_s),
        counts=counts,
        watcher_frames=watching.frames,
        lost_packets=watching.lost_packets,
        lost_frames=watching.lost_frames,
        held_up=watching.held_up,
        forgive=options.forgive,
    )


async def _look(
    server: BenchServer, watching: Watching, seconds: float, is_enough: trio.Event, progress: Console
) -> list[Sample]:
    """Take samples for so long; tell each minute how it goes. Raises RemoteError where camgate answers no more."""
    samples: list[Sample] = []
    waits = Waits(server.child.pid, os.getpid())
    told = -1
    began_s, interval_s = trio.current_time(), max(1.0, seconds / SAMPLES)
    while (at_s := trio.current_time() - began_s) < seconds and not (samples and is_enough.is_set()):
        watching.take(is_held_up=waits.longest_s() > HELD_UP_S)
        try:
            samples.append(await take_sample(server, at_s, watching.lost_frames))
        except (RemoteError, OSError) as error:
            if not server.child.is_running:
                raise server.child.failed("ended") from error
            if at_s - (samples[-1].at_s if samples else 0) > SILENCE_S:
                raise
        if samples and at_s // 60 > told:
            told = int(at_s // 60)
            progress.print(f"minute {told}: {samples[-1]}", highlight=False)
        with trio.move_on_at(began_s + at_s + interval_s):
            await is_enough.wait()
    watching.take(is_held_up=waits.longest_s() > HELD_UP_S)
    return samples


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--viewers", type=int, default=12, help="who come and go at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--forgive", type=int, default=0, help="frames that the watcher may miss")
    parser.add_argument("--json", action="store_true", help="print a document in place of tables")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures over time")
    parser.add_argument("--leak", action="store_true", help="run a camgate that leaks, to prove that it is found")
    options = parser.parse_args()
    progress = Console(stderr=True)
    try:
        outcome = trio.run(soak, options, progress)
    except* (RemoteError, OSError) as failures:
        for failure in _leaves(failures):
            progress.print(f"FAILED: {failure}", highlight=False)
        sys.exit(1)
    if options.json:
        print(json.dumps(outcome.as_json()))
    else:
        show(outcome, Console())
    if options.plot:
        plot(outcome, options.plot)
    sys.exit(bool(outcome.problems))


if __name__ == "__main__":
    main()
