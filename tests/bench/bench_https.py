"""What HTTPS costs beside HTTP: the server's processor time for a page and for an offer, and its loop's lag in a storm.

    .venv/bin/python -m tests.bench.bench_https [--rounds 100]

The server runs in a process of its own, with an engine that answers at once. A page is a new connection and its nine
files; an offer is a new connection and one POST. The storm is 200 clients who connect at once; the lag is how late a
task wakes meanwhile that sleeps for 2 ms, as those who send live frames do.
"""

import argparse
import json
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from camgate.config.model import ServerSettings
from camgate.serve.http.pages import web_directory
from camgate.serve.self_signed import make_self_signed, write_pair
from camgate.serve.tls import ServerTls
from tests.fakes.engine import FakeEngine
from tests.fakes.http import LOOPBACK, Client, running_server

STORM = 200
NAP_S = 0.002
OFFER = b"v=0\r\n" + b"a=x\r\n" * 600
FILES = ("/", *(f"/static/{name}" for name in ("style.css", "player.css", "wall.css", "wall.js", "cameras.js")))
FILES += tuple(f"/static/{name}" for name in ("player.js", "stage.js", "words.js"))


class Lag:
    """How late a task wakes."""

    def __init__(self) -> None:
        self.most_s = 0.0

    async def run(self) -> None:
        while True:
            due_s = time.perf_counter() + NAP_S
            await trio.sleep(NAP_S)
            self.most_s = max(self.most_s, time.perf_counter() - due_s)


async def serve(certificate: str, key: str) -> None:
    """Serve until stdin ends; a line of it is answered by what has been used since the last."""
    lag = Lag()
    tls = ServerTls(certificate, key, protocols=("http/1.1",)) if certificate else None
    settings = ServerSettings(max_viewers=1000)
    async with (
        running_server(FakeEngine("front"), web_directory(), settings, tls=tls) as server,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(lag.run)
        print(json.dumps({"port": server.port}), flush=True)
        used_s = time.process_time()
        while await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            now_s = time.process_time()
            print(json.dumps({"cpu_s": now_s - used_s, "lag_s": lag.most_s}), flush=True)
            used_s, lag.most_s = now_s, 0.0
        nursery.cancel_scope.cancel()


class ServerProcess:
    """The server, plain or encrypted."""

    def __init__(self, certificate: Path | None, key: Path | None) -> None:
        self._context = None if certificate is None else ssl.create_default_context(cafile=str(certificate))
        files = ["", ""] if certificate is None else [str(certificate), str(key)]
        command = [sys.executable, "-m", "tests.bench.bench_https", "--serve", *files]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._port = self._read()["port"]

    def used(self) -> dict[str, float]:
        """What was used since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer

    def stop(self) -> None:
        self._process.communicate()

    async def connect(self) -> Client:
        stream = await trio.open_tcp_stream(LOOPBACK, self._port)
        if self._context is None:
            return Client(stream)
        encrypted = trio.SSLStream(stream, self._context, server_hostname=LOOPBACK, https_compatible=True)
        await encrypted.do_handshake()
        return Client(encrypted)  # type: ignore[arg-type]

    async def load_page(self) -> None:
        client = await self.connect()
        for file in FILES:
            await client.send_request("GET", file)
            assert (await client.reply()).status == 200
        await client.stream.aclose()

    async def send_offer(self) -> None:
        client = await self.connect()
        await client.send_request("POST", "/whep/front", OFFER, {"Content-Type": "application/sdp"})
        assert (await client.reply()).status == 201
        await client.stream.aclose()

    async def storm(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(STORM):
                nursery.start_soon(self.send_offer)


def measure(server: ServerProcess, rounds: int) -> list[float]:
    """Return ms of processor time a page and an offer, the lag of a storm and its ms of processor time a client."""

    async def repeat(action: str, times: int) -> None:
        for _ in range(times):
            await getattr(server, action)()

    figures = []
    for action in ("load_page", "send_offer"):
        trio.run(repeat, action, 3)
        server.used()
        trio.run(repeat, action, rounds)
        figures.append(server.used()["cpu_s"] / rounds * 1e3)
    server.used()
    trio.run(server.storm)
    used = server.used()
    return [*figures, used["lag_s"] * 1e3, used["cpu_s"] / STORM * 1e3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        trio.run(serve, *arguments.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        pair = write_pair(make_self_signed([LOOPBACK], 1), Path(folder), force=False)
        for name, files in (("HTTP", (None, None)), ("HTTPS", pair)):
            server = ServerProcess(*files)
            page, offer, lag, each = measure(server, arguments.rounds)
            server.stop()
            print(
                f"{name:5}: a page {page:5.2f} ms, an offer {offer:5.2f} ms of CPU; "
                f"{STORM} clients at once: {each:5.2f} ms of CPU each, loop lag {lag:5.1f} ms at most"
            )


if __name__ == "__main__":
    main()
