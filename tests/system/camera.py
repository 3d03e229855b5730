"""An RTSP camera as a process: prints its URL, and films until it is ended."""

import trio

from tests.fakes.site import FilmingCameras

NAME = "one"


async def main() -> None:
    cameras = FilmingCameras((NAME,))
    async with trio.open_nursery() as nursery:
        await nursery.start(cameras.run)
        print(cameras.url(NAME), flush=True)


if __name__ == "__main__":
    trio.run(main)
