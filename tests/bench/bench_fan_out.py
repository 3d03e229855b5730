"""What one more reader of a stream costs per frame, from `publish` to `receive`.

Run: python -m tests.bench.bench_fan_out
"""

from time import perf_counter

import trio
import trio.testing

from camgate.relay.stream import Stream
from tests.fakes.frames import make_frame

FRAMES = 2000
READERS = (0, 1, 10, 100)


async def measure(readers: int) -> float:
    """Return the seconds that a frame takes with so many readers."""
    stream = Stream("bench")
    frames = [make_frame(number, key=number % 50 == 0) for number in range(FRAMES)]

    async def read() -> None:
        with stream.subscribe() as reader:
            async for _ in reader:
                pass

    async with trio.open_nursery() as nursery:
        for _ in range(readers):
            nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        begin = perf_counter()
        for frame in frames:
            stream.publish(frame)
            await trio.lowlevel.checkpoint()
        elapsed_s = perf_counter() - begin
        stream.close()
    return elapsed_s / FRAMES


def main() -> None:
    for readers in READERS:
        print(f"fan out: {trio.run(measure, readers) * 1e6:.1f} us a frame with {readers} readers")


if __name__ == "__main__":
    main()
