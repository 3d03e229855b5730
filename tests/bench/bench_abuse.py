"""What one attacker adds to the delay of those who watch beside him, and what he costs the server.

For each kind of flood one process sends as fast as it can for some seconds, at a camgate in a process of its own with
viewers in a third. Prints a line a kind: datagrams a second, the viewers' delay, what they got of what was sent to
them in per cent, what they missed (frames, packets left out, viewers who got nothing any more), the server's share of
a core, and whether it ended the attacker's session.

Run: python -m tests.bench.bench_abuse [--viewers 20] [--seconds 3] [KIND ...]
"""

import argparse
from contextlib import AsyncExitStack
from dataclasses import asdict

import trio

from camgate.bench.cameras import CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.crowd import CrowdSettings, camera_url
from camgate.bench.figures import Measured, measured_of
from camgate.bench.link import TalkingChild, open_talking_child
from camgate.bench.server import open_server
from tests.bench.flooder import CONTROL_FLOODS, FRESH_CHECKS, MANY_PORTS, STRANGER_FLOODS, VIEWER_FLOODS

KINDS = (*CONTROL_FLOODS, FRESH_CHECKS, MANY_PORTS, *VIEWER_FLOODS, *STRANGER_FLOODS)
ANSWER_TIMEOUT_S = 60.0
CAMERAS = 2
JOINS_PER_S = 20
HEADER = "flood                    1,000/s    p50 ms    p99 ms  delivered  missing  CPU %   ended"


async def _measure(crowd: TalkingChild, seconds: float) -> Measured:
    await crowd.send({"measure": seconds})
    while "measured" not in (message := await crowd.receive(ANSWER_TIMEOUT_S)):
        pass
    return measured_of(message["measured"])


def _line(kind: str, measured: Measured, rate: str, ended: str) -> str:
    delay = measured.delay
    missing = measured.frames_missing + measured.left_out + measured.stalled
    cpu = 100 * measured.cpu_s / measured.elapsed_s
    return (
        f"{kind:<22} {rate:>9} {delay.p50 or 0:>9.1f} {delay.p99 or 0:>9.1f} {measured.delivered_percent:>10.2f} "
        f"{missing:>8} {cpu:>6.0f} {ended:>7}"
    )


async def main(viewers: int, seconds: float, kinds: list[str]) -> None:
    async with AsyncExitStack() as parts:
        wanted = CamerasSettings(cameras=CAMERAS, clip=ClipSettings())
        cameras = await parts.enter_async_context(
            open_talking_child("cameras", "camgate.bench.cameras", wanted.as_message())
        )
        clip = await cameras.receive(ANSWER_TIMEOUT_S)
        server = await parts.enter_async_context(open_server(clip["port"], CAMERAS, viewers + 100))
        await cameras.send({"serve": True})
        await server.wait_live()
        crowd_settings = CrowdSettings(url=server.whep, cameras=CAMERAS, full=2, pid=server.child.pid)
        crowd = await parts.enter_async_context(
            open_talking_child("viewers", "camgate.bench.crowd", asdict(crowd_settings))
        )
        await crowd.send({"join": viewers, "rate": JOINS_PER_S})
        while "joined" not in await crowd.receive(ANSWER_TIMEOUT_S):
            pass
        print(HEADER)
        print(_line("none", await _measure(crowd, seconds), "-", "-"), flush=True)
        flooder = await parts.enter_async_context(
            open_talking_child("attacker", "tests.bench.flooder", {"url": camera_url(server.whep, 0)})
        )
        for kind in kinds:
            await flooder.send({"flood": kind, "seconds": seconds})
            await flooder.receive(ANSWER_TIMEOUT_S)
            measured = await _measure(crowd, seconds)
            done = await flooder.receive(ANSWER_TIMEOUT_S)
            rate = done["sent"] / done["elapsed_s"] / 1000
            print(_line(kind, measured, f"{rate:.0f}", "yes" if done["was_ended"] else "no"), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("kinds", nargs="*", choices=(*KINDS, []), metavar="KIND")
    given = parser.parse_args()
    trio.run(main, given.viewers, given.seconds, given.kinds or list(KINDS))
