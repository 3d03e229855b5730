"""A viewer as a process: comes, sees a whole key frame, and leaves. Its argument is the address of WHEP."""

import sys

import trio

from tests.fakes.visitors import HANG_S, Visitors


async def main(url: str) -> None:
    with trio.fail_after(HANG_S):
        await Visitors(url).visit()


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
