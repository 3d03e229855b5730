"""`Liar`: a camera whose answers are written down in a script and whose pictures are those of a `Film`.

It is dialled like `FakeCamera`, over socket pairs in virtual time, so the whole ingest runs against it. Scripts are
those of `tests/fixtures/rtsp`, or made here from the plain one. A connection plays its script from the beginning.
"""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import trio

from tests.fakes.camera import ByteStream, Connection, FakeCamera, Request
from tests.fakes.camera_script import FIXTURES, read_script
from tests.fakes.film import Film

PLAIN = FIXTURES.parent / "liars" / "plain.txt"

KEEPALIVES = ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER")


def script(name: str = "plain", **replacements: str) -> str:
    """Return a script of `tests/fixtures/liars`, in which each text that is a key is replaced by its value.

    Keys are words of the script with `_` for what cannot stand in a name: see PARTS.
    """
    text = (FIXTURES.parent / "liars" / f"{name}.txt").read_text()
    for part, value in replacements.items():
        found = PARTS[part]
        assert found in text, f"{found!r} is not in {name}.txt"
        text = text.replace(found, value)
    return text


PARTS = {
    "content_base": "Content-Base: rtsp://192.0.2.7/stream/\n",
    "session": "Session: 12345678;timeout=60\n",
    "transport": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\n",
    "public": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\n",
    "fmtp": "a=fmtp:96 packetization-mode=1;profile-level-id=42c01e;"
    "sprop-parameter-sets=Z0LAHtkAoC/5YQAAAwABAAADADKPFi5I,aMuDyyA=\n",
    "options": "RTSP/1.0 200 OK\nCSeq: {cseq}\nPublic",
}


@dataclass(frozen=True, kw_only=True)
class Login:
    """Digest login that the liar demands and checks. nonce_lifetime_s: then another nonce is wanted, without a word of
    `stale`."""

    username: str = "admin"
    password: str = "right"
    algorithm: str = ""
    nonce_lifetime_s: float = float("inf")
    challenges: tuple[str, ...] = ('Digest realm="liar", nonce="{nonce}"{algorithm}',)

    HASHES: ClassVar = {"": hashlib.md5, "MD5": hashlib.md5, "SHA-256": hashlib.sha256}

    def nonce(self, now: float) -> str:
        return f"nonce{now // self.nonce_lifetime_s:.0f}"

    def headers(self, now: float) -> list[str]:
        """Return the WWW-Authenticate headers of a 401."""
        algorithm = f", algorithm={self.algorithm}" if self.algorithm else ""
        return [
            "WWW-Authenticate: " + challenge.format(nonce=self.nonce(now), algorithm=algorithm)
            for challenge in self.challenges
        ]

    def admits(self, request: Request, now: float) -> bool:
        """Check RFC 2069's form of Digest by hand."""
        given = dict(re.findall(r'(\w+)="([^"]*)"', request.headers.get("authorization", "")))

        def digest(text: str) -> str:
            return str(self.HASHES[self.algorithm](text.encode()).hexdigest())

        ha1, ha2 = digest(f"{self.username}:liar:{self.password}"), digest(f"{request.method}:{request.url}")
        return given.get("response") == digest(f"{ha1}:{self.nonce(now)}:{ha2}") and given["uri"] == request.url


class Liar(FakeCamera):
    """script: see `tests/fixtures/rtsp/README.md`. film: what it shows.

    login: demanded of every request but OPTIONS. early: the film begins before the answer to PLAY.
    noise: bytes that go out before picture `number`. keepalive: what it says to keepalives that its script does not
    mention, None for nothing at all. frozen: it reads and says nothing, as long as this is set.
    trickle_s: it sends one byte each so many seconds.
    """

    def __init__(self, text: str, film: Film | None = None, *, login: Login | None = None) -> None:
        super().__init__()
        self.script = text
        self.film = film or Film()
        self.login = login
        self.early = False
        self.noise: Callable[[int], bytes] = lambda number: b""
        self.keepalive: str | None = "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n\r\n"
        self.frozen = trio.Event()
        self.frozen.set()
        self.trickle_s = 0.0
        self.filmed = 0
        self.surprises: list[str] = []

    def freeze(self) -> None:
        self.frozen = trio.Event()

    def thaw(self) -> None:
        self.frozen.set()

    def _open(self, stream: ByteStream, nursery: trio.Nursery) -> "_Conversation":
        return _Conversation(self, stream, nursery)


class _Conversation(Connection):
    """One connection, from the script's beginning."""

    def __init__(self, camera: Liar, stream: ByteStream, nursery: trio.Nursery) -> None:
        super().__init__(camera, stream, nursery)
        self.liar = camera
        self.answers = read_script(camera.script)
        self.channels = (0, 1)
        self.payload_type = 0

    async def _answer(self, request: Request) -> bool:
        if request.method.startswith("RTSP/"):
            # The client's answer to a request of ours.
            return True
        await self.liar.frozen.wait()
        now = trio.current_time()
        login = self.liar.login
        if login and request.method != "OPTIONS" and not login.admits(request, now):
            lines = ["RTSP/1.0 401 Unauthorized", f"CSeq: {request.headers['cseq']}", *login.headers(now), "", ""]
            await self._send("\r\n".join(lines).encode())
            return True
        answer = self._next_answer(request)
        if answer is None:
            return request.method != "TEARDOWN"
        if request.method == "SETUP" and "client_port" in request.headers["transport"]:
            self._set_up(request.headers["transport"], is_about_audio=False)
            answer = re.sub(r"Transport: [^\r]*", f"Transport: {self.transport}", answer)
        elif found := re.search(r"interleaved=(\d+)", answer):
            self.channels = (int(found[1]), int(found[1]) + 1)
        if found := re.search(r"a=rtpmap:(\d+)\s+H264/", answer):
            self.payload_type = int(found[1])
        plays = request.method == "PLAY" and answer.startswith("RTSP/1.0 200")
        if plays and self.liar.early:
            self.nursery.start_soon(self._film)
            await trio.sleep(0.2)
        await self._send(answer.encode("latin-1"))
        if plays and not self.liar.early:
            self.nursery.start_soon(self._film)
        return True

    def _next_answer(self, request: Request) -> str | None:
        if self.answers and self.answers[0][0] == request.method:
            _, answer = self.answers.pop(0)
        elif request.method in KEEPALIVES:
            if self.liar.keepalive is None:
                return None
            answer = self.liar.keepalive
        elif request.method == "SETUP":
            # Of a track that the script does not tell of, such as sound.
            answer = "RTSP/1.0 404 Not Found\r\nCSeq: {cseq}\r\n\r\n"
        else:
            if request.method != "TEARDOWN":
                self.liar.surprises.append(f"{request.method} {request.url}")
            return None
        while self.answers and self.answers[0][0] == "...":
            answer += self.answers.pop(0)[1]
        return answer.replace("{cseq}", request.headers["cseq"])

    async def _film(self) -> None:
        liar, film = self.liar, self.liar.film
        sequence, number = 65_500, 0
        began_s = trio.current_time()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while number != liar.stops_after_frames:
                await trio.sleep_until(began_s + number / film.fps)
                await liar.frozen.wait()
                if liar.sends_frames:
                    data = liar.noise(number)
                    packets, sequence = film.picture(number, sequence, self.payload_type)
                    for on, packet in packets:
                        channel = self.channels[on] if on < 2 else on
                        data += b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet
                    liar.filmed = number + 1
                    await self._send_media(data)
                number += 1
            liar.hang_up()

    async def _send(self, data: bytes) -> None:
        if not self.liar.trickle_s:
            await super()._send(data)
            return
        for at in range(len(data)):
            await super()._send(data[at : at + 1])
            await trio.sleep(self.liar.trickle_s)
