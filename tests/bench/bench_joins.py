"""What a join costs the server in CPU: the real thing, one after the other, old against new by turns.

Run: python -m tests.bench.bench_joins [--against CHECKOUT] [--rounds 7] [--joins 40]

One built-in camera of 2 Mbit/s with a key frame each 2 s, and one viewer who watches all the time, so that neither the
camera nor its sender starts or stops with a join. A round takes the CPU time of the server's process with that viewer
alone, then for as long with joins, one each SLOT_S: WHEP POST over a new connection, ICE, DTLS, the burst, HOLD_S of
watching, leaving. The difference over the number of joins is printed: the median, and all rounds in their order; and
the times from POST to the keys. With `--against` the servers of both versions run all the time and are joined by turns,
so that what disturbs the machine for longer than a join disturbs both alike; the ratio of each round is printed too,
and is what to go by.
"""

import argparse
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from camgate.bench.cameras import CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.link import open_talking_child
from camgate.bench.processes import usage
from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate
from tests.bench.independent import Server, median_and_spread, running_camgate

SLOT_S = 0.2
"""From one join to the next: each has the server for itself."""
HOLD_S = 0.1
"""From the keys to the leaving: the longest burst of this camera takes 0.07 s."""
KEY_FRAME_TIMEOUT_S = 5.0
REST_S = 4.0
"""Until a server that somebody joined reads datagrams at rest again (`serve.webrtc.attention`)."""
REPORT_S = 1.0
ENCODE_TIMEOUT_S = 120.0
_CERTIFICATE = Certificate()


@dataclass(slots=True)
class Measured:
    """One server and what its joins cost, in ms of CPU, a round each."""

    server: Server
    idle_share: list[float] = field(default_factory=list)
    join_ms: list[float] = field(default_factory=list)
    connected_ms: list[float] = field(default_factory=list)
    """From each POST to the keys."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="another version, run with the packages of this one"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--joins", type=int, default=20)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        trio.run(_compare, [None, arguments.against][: 1 + bool(arguments.against)], arguments, Path(folder))


async def _compare(checkouts: Sequence[Path | None], arguments: argparse.Namespace, folder: Path) -> None:
    wanted = CamerasSettings(cameras=1, clip=ClipSettings()).as_message()
    async with open_talking_child("cameras", "camgate.bench.cameras", wanted) as cameras:
        port = (await cameras.receive(ENCODE_TIMEOUT_S))["port"]
        await cameras.send({"serve": True})
        with ExitStack() as running:
            measured = []
            for number, checkout in enumerate(checkouts):
                (own := folder / str(number)).mkdir()
                server = running.enter_context(running_camgate(port, 1, arguments.joins, own, checkout=checkout))
                measured.append(Measured(server))
            async with trio.open_nursery() as nursery:
                for each in measured:
                    await nursery.start(_watch, each.server)
                await trio.sleep(REST_S)
                for _ in range(arguments.rounds):
                    await _measure(measured, arguments.joins)
                nursery.cancel_scope.cancel()
    _report(measured)


async def _measure(servers: Sequence[Measured], joins: int) -> None:
    """Take one round: the CPU of each server alone, then for as long with joins by turns; then let them rest."""
    window_s = joins * len(servers) * SLOT_S
    began_s, before_s = trio.current_time(), _cpu_s(servers)
    await trio.sleep(window_s)
    idle_s, idle_cpu_s = trio.current_time() - began_s, _since(before_s, servers)
    began_s, before_s = trio.current_time(), _cpu_s(servers)
    async with trio.open_nursery() as nursery:
        for place in range(joins * len(servers)):
            await trio.sleep_until(began_s + place * SLOT_S)
            nursery.start_soon(_join_and_leave, servers[place % len(servers)])
        await trio.sleep_until(began_s + window_s)
    joins_s, joins_cpu_s = trio.current_time() - began_s, _since(before_s, servers)
    for each, idle, joining in zip(servers, idle_cpu_s, joins_cpu_s, strict=True):
        each.idle_share.append(100 * idle / idle_s)
        each.join_ms.append(1000 * (joining - idle * joins_s / idle_s) / joins)
    await trio.sleep(REST_S)


def _cpu_s(servers: Sequence[Measured]) -> list[float]:
    return [usage(each.server.pid).cpu_s for each in servers]


def _since(before_s: Sequence[float], servers: Sequence[Measured]) -> list[float]:
    return [now_s - then_s for now_s, then_s in zip(_cpu_s(servers), before_s, strict=True)]


async def _join_and_leave(measured: Measured) -> None:
    async with trio.open_nursery() as nursery:
        viewer = await nursery.start(_view, measured.server)
        assert viewer.connected_s is not None
        measured.connected_ms.append(1000 * (viewer.connected_s - viewer.requested_s))
        await trio.sleep(HOLD_S)
        deadline_s = trio.current_time() + KEY_FRAME_TIMEOUT_S
        while viewer.reception.key_frame_s is None:
            if trio.current_time() > deadline_s:
                raise SystemExit(f"no key frame for {KEY_FRAME_TIMEOUT_S:g} s after the handshake")
            await trio.sleep(HOLD_S / 10)
        nursery.cancel_scope.cancel()


async def _watch(server: Server, *, task_status: trio.TaskStatus[None]) -> None:
    """Watch for good, as a browser does; started once connected."""
    async with trio.open_nursery() as nursery:
        viewer = await nursery.start(_view, server)
        task_status.started()
        while True:
            await trio.sleep(REPORT_S)
            viewer.report()
            viewer.check_consent()


async def _view(server: Server, *, task_status: trio.TaskStatus[Viewer]) -> None:
    """Join, read what comes, leave when cancelled; started once connected."""
    url = server.whep.replace("%d", "0")
    viewer = Viewer(ViewerSettings(url=url, camera=0, number=0, full=False, certificate=_CERTIFICATE))
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read, viewer)
            await viewer.join()
            task_status.started(viewer)
    finally:
        viewer.close()


async def _read(viewer: Viewer) -> None:
    while True:
        await trio.lowlevel.wait_readable(viewer.sock)
        viewer.drain()


def _report(measured: Sequence[Measured]) -> None:
    for each, name in zip(measured, ("this version", "the other"), strict=False):
        print(f"{name}: CPU a join, ms: {median_and_spread(each.join_ms)}")
        p50, p95 = (statistics.quantiles(each.connected_ms, n=20)[twentieth - 1] for twentieth in (10, 19))
        print(f"{name}: from POST to the keys, ms: p50 {p50:.1f}, p95 {p95:.1f}")
        print(f"{name}: one viewer, % of a core: {median_and_spread(each.idle_share)}")
    if len(measured) == 2:
        here, there = measured
        ratios = [ours / theirs for ours, theirs in zip(here.join_ms, there.join_ms, strict=True)]
        print(f"this version over the other, round by round: {median_and_spread(ratios)}")


if __name__ == "__main__":
    main()
