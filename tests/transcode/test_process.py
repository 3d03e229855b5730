"""Worker processes: real ones, that end when they should and say how they ended."""

import os
import select
import signal
import subprocess
import sys

import pytest
import trio

from camgate.transcode.messages import Counts, Kind, Media
from camgate.transcode.process import Worker, WorkerEnded, open_worker
from tests.fakes import encoded

VIDEO = {
    "task": "video",
    "nice": 1,
    "codec": "H265",
    "target": "H264",
    "max_width": 0,
    "max_kbps": 1000,
    "hardware": "off",
    "threads": 1,
}


async def test_a_stream_through_a_worker_that_is_killed_at_last() -> None:
    with trio.fail_after(30):
        async with open_worker(VIDEO) as worker:
            assert (await worker.receive())[0] is Kind.READY
            with pytest.raises(WorkerEnded, match="the worker process was ended by SIGKILL"):
                await _transcode_and_kill(worker)
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


async def _transcode_and_kill(worker: Worker) -> None:
    times, counts = [], Counts()
    for number, frame in enumerate(encoded.frames("H265", pictures=5)):
        await worker.send_packed(Media(frame.rtp_time, frame.arrival_s, frame.is_key, frame.nals).pack())
        while counts.frames == number:
            kind, body = await worker.receive()
            if kind is Kind.MEDIA:
                times.append(Media.unpack(body).rtp_time)
            elif kind is Kind.TAKEN:
                counts = Counts.unpack(body)
    assert times == [0, 3600, 7200, 10800, 14400]
    os.kill(worker.pid, signal.SIGKILL)
    await worker.receive()


async def test_a_worker_that_cannot_be_started_is_one_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camgate.transcode.process.COMMAND", ("/nowhere/python",))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(WorkerEnded, match="the worker process cannot be started: No such file"):
        async with open_worker(VIDEO):
            raise AssertionError("there is no worker")
    assert os.listdir("/proc/self/fd") == before


async def test_who_still_talks_to_a_worker_whose_block_has_ended_hears_so() -> None:
    async with open_worker({"task": "snapshots", "nice": 0}) as worker:
        pass
    for _ in range(2):
        with pytest.raises(WorkerEnded):
            await worker.send(Kind.SNAPSHOT, b"")
        with pytest.raises(WorkerEnded):
            await worker.receive()


async def test_a_worker_that_cannot_do_its_task_says_so_and_ends(capfd: pytest.CaptureFixture[str]) -> None:
    with trio.fail_after(30):
        async with open_worker(VIDEO | {"codec": "EVRC"}) as worker:
            kind, body = await worker.receive()
            assert (kind, body) == (Kind.FAILED, b"internal error, LocalError: there is no decoder for EVRC")
            with pytest.raises(WorkerEnded, match="ended with status 0"):
                await worker.receive()
    assert capfd.readouterr().err == ""


async def test_a_worker_knows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONT_PASSWORD", "not for workers")
    with trio.fail_after(30):
        async with open_worker({"task": "snapshots", "nice": 0}) as worker:
            # Of a process that has become our module, and is not on its way there.
            await worker.send(Kind.SNAPSHOT, b"H264".ljust(8, b"\0"), b"\0\0")
            assert (await worker.receive())[0] is Kind.FAILED
            assert b"not for workers" not in await trio.Path(f"/proc/{worker.pid}/environ").read_bytes()


def test_a_worker_does_not_outlive_camgate() -> None:
    script = (
        "import trio\nfrom camgate.transcode.process import open_worker\n"
        "async def main():\n"
        "    async with open_worker({'task': 'snapshots', 'nice': 0}) as worker:\n"
        "        print(worker.pid, flush=True)\n"
        "        await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as camgate:
        assert camgate.stdout is not None
        watched = os.pidfd_open(int(camgate.stdout.readline()))
        camgate.kill()
    # What is not our child cannot be waited for, but its descriptor becomes readable.
    try:
        assert select.select([watched], [], [], 20)[0]
    finally:
        os.close(watched)
