"""A worker process: `python -m camgate.transcode.worker`, started by `transcode.process` with a socket as its stdin.

Ends when camgate closes the socket or is gone. What cameras send is decoded here and nowhere else, so whatever breaks
FFmpeg breaks no more than this process.
"""

import json
import os
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import av

from camgate.base.errors import CamgateError
from camgate.transcode.channel import Channel
from camgate.transcode.jpeg import make_jpeg
from camgate.transcode.messages import SNAPSHOT_HEAD, Kind
from camgate.transcode.sound import run_sound
from camgate.transcode.video import run_video


def main() -> None:
    """Do what the first message says until camgate hangs up."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # FFmpeg's own lines would tell of each damaged picture, in a form of their own.
    av.logging.set_level(None)
    channel = Channel(socket.socket(fileno=sys.stdin.fileno()))
    try:
        _, body = channel.receive()
        setup = json.loads(body)
        os.nice(setup["nice"])
        TASKS[setup["task"]](channel, setup)
    except (EOFError, ConnectionError):
        pass
    except Exception as exc:
        # Ours, not the camera's: in words for the log, where a traceback on stderr would be nobody's line.
        with suppress(ConnectionError):
            channel.send(Kind.FAILED, f"internal error, {type(exc).__name__}: {exc}".encode())


def run_snapshots(channel: Channel, setup: dict[str, Any]) -> None:
    """Answer each SNAPSHOT with PICTURE or FAILED."""
    while True:
        _, body = channel.receive()
        codec, width = SNAPSHOT_HEAD.unpack_from(body)
        try:
            picture = make_jpeg(codec.rstrip(b"\0").decode(), body[SNAPSHOT_HEAD.size :], width)
        except (CamgateError, av.error.FFmpegError) as exc:
            channel.send(Kind.FAILED, str(exc).encode())
        else:
            channel.send(Kind.PICTURE, picture)


TASKS: Mapping[str, Callable[[Channel, dict[str, Any]], None]] = {
    "snapshots": run_snapshots,
    "video": run_video,
    "sound": run_sound,
}

if __name__ == "__main__":
    main()
