"""Whatever answers to an HTTP tunnel, only MalformedMessage comes out."""

from hypothesis import given

from camgate.wire.rtsp.errors import MalformedMessage
from camgate.wire.rtsp.tunnel import split_tunnel_answer_untrusted
from tests.fuzz.mutate import spoiled
from tests.fuzz.reach import Reach

ANSWER = b'HTTP/1.1 401 Unauthorized\r\nServer: cam\r\nWWW-Authenticate: Digest realm="x"\r\n\r\n$\x00\x00\x04abcd'


def test_tunnel_answer_fuzz() -> None:
    reach = Reach("HTTP tunnel")

    @given(spoiled(ANSWER, [b"HTTP/1.", b"RTSP/1.0"]))
    def fuzz(data: bytes) -> None:
        try:
            split = split_tunnel_answer_untrusted(data)
        except MalformedMessage:
            reach.seen(False)
        else:
            reach.seen(split is not None)
            assert split is None or data.endswith(split[1])

    fuzz()
    reach.check()
