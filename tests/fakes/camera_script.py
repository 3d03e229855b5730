"""`ScriptedCamera`: answers a client's requests from a file of `tests/fixtures/rtsp`, whose README has the format.

Reads requests with its own few lines, so that it shares no code with what it tests.
"""

from dataclasses import dataclass
from pathlib import Path

from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.events import Described, Event, Playing
from camgate.wire.rtsp.track import first_video_track

FIXTURES = Path(__file__).parent.parent / "fixtures" / "rtsp"


@dataclass
class SeenRequest:
    """A request as it came: header names in their exact spelling."""

    method: str
    url: str
    headers: dict[str, str]

    def digest(self) -> dict[str, str]:
        """The parameters of an Authorization: Digest header, without quotes."""
        scheme, _, rest = self.headers["Authorization"].partition(" ")
        assert scheme == "Digest"
        return {name: value.strip('"') for name, value in (part.split("=", 1) for part in rest.split(", "))}


class ScriptedCamera:
    """One camera's answers, in order; at their end it falls silent."""

    def __init__(self, script: str) -> None:
        self.requests: list[SeenRequest] = []
        self._answers = read_script(script)

    @classmethod
    def from_file(cls, name: str) -> "ScriptedCamera":
        return cls((FIXTURES / f"{name}.txt").read_text())

    def urls(self, method: str) -> list[str]:
        return [request.url for request in self.requests if request.method == method]

    def answer(self, data: bytes) -> bytes:
        """Take what a client sent, whole requests without bodies, and return what this camera says to it."""
        out = b""
        for text in data.decode("latin-1").split("\r\n\r\n")[:-1]:
            start, *lines = text.split("\r\n")
            method, url, version = start.split(" ")
            assert version == "RTSP/1.0"
            request = SeenRequest(method, url, dict(line.split(": ", 1) for line in lines))
            self.requests.append(request)
            out += self._next_answer(request)
        return out

    def _next_answer(self, request: SeenRequest) -> bytes:
        if not self._answers:
            return b""
        method, answer = self._answers.pop(0)
        assert request.method == method
        answer = answer.replace("{cseq}", request.headers["CSeq"])
        while self._answers and self._answers[0][0] == "...":
            answer += self._answers.pop(0)[1]
        return answer.encode("latin-1")


def read_script(script: str) -> list[tuple[str, str]]:
    answers: list[tuple[str, list[str]]] = []
    for line in script.splitlines():
        if line.startswith("> "):
            answers.append((line[2:], []))
        elif answers:
            answers[-1][1].append(line.encode("latin-1").decode("unicode_escape"))
    return [(method, _join(method, lines)) for method, lines in answers]


def _join(method: str, lines: list[str]) -> str:
    if method == "...":
        return "".join(lines)
    head, _, body = ("\r\n".join(lines) + "\r\n").partition("\r\n\r\n")
    return f"{head}\r\n\r\n{body}".replace("{length}", str(len(body)))


def feed(client: RtspClient, data: bytes, now: float = 0.0, *, byte_by_byte: bool = False) -> None:
    """Hand bytes to the client in one piece, or each byte in a piece of its own."""
    for piece in [data[i : i + 1] for i in range(len(data))] if byte_by_byte else [data]:
        client.receive_data(piece, now)


def converse(
    client: RtspClient, camera: ScriptedCamera, now: float = 0.0, *, byte_by_byte: bool = False
) -> list[Event]:
    """Let both talk until the client has nothing more to say; play the first H.264 track once it is described."""
    events: list[Event] = []
    while data := client.data_to_send():
        feed(client, camera.answer(data), now, byte_by_byte=byte_by_byte)
        for event in client.events():
            events.append(event)
            if isinstance(event, Described):
                client.play([first_video_track(event.tracks)], now)
    return events


def play_script(client: RtspClient, camera: ScriptedCamera, *, byte_by_byte: bool = False) -> tuple[Described, Playing]:
    """Start the client and converse until it plays."""
    client.start(0.0)
    described, playing = converse(client, camera, byte_by_byte=byte_by_byte)
    assert isinstance(described, Described)
    assert isinstance(playing, Playing)
    return described, playing
