"""Whatever arrives as STUN, only StunMalformed comes out."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.serve.webrtc.public_address import StunQuestions
from camgate.wire.ice import stun
from camgate.wire.ice.framing import MAX_PACKET_BYTES, Deframer, FramingMalformed, framed
from tests.fuzz.reach import Reach

_KINDS = st.sampled_from([0x0006, 0x0008, 0x0020, 0x0024, 0x0025, 0x8028, 0x8029, 0xC057, 0x7777])


@st.composite
def _messages(draw: st.DrawFn) -> bytes:
    """A message whose header is mostly right, with attributes that may lie about their size."""
    body = b""
    for _ in range(draw(st.integers(0, 6))):
        value = draw(st.binary(max_size=40))
        size = len(value) if draw(st.integers(0, 9)) else draw(st.integers(0, 65535))
        body += draw(_KINDS).to_bytes(2, "big") + size.to_bytes(2, "big") + value + bytes(-len(value) % 4)
    length = len(body) if draw(st.integers(0, 9)) else draw(st.integers(0, 65535))
    header = draw(st.sampled_from([0x0001, 0x0101, 0x0111, 0x0200])).to_bytes(2, "big") + length.to_bytes(2, "big")
    return header + stun.MAGIC_COOKIE.to_bytes(4, "big") + draw(st.binary(min_size=12, max_size=12)) + body


def ask_and_answer(message: stun.StunMessage) -> None:
    """Have it answer a question of ours: as if the stranger had seen the question, or guessed it."""
    server = ("192.0.2.1", 3478)
    questions = StunQuestions(lambda *_: True)
    answers: list[tuple[str, int] | None] = []
    questions._open[message.transaction_id] = (server, answers.append)
    questions.receive_untrusted(message, server)
    assert len(answers) == 1


def test_stun_fuzz() -> None:
    reach = Reach("STUN")

    @given(_messages() | st.binary(max_size=200))
    def fuzz(data: bytes) -> None:
        try:
            message = stun.parse_stun_untrusted(data)
        except stun.StunMalformed as exc:
            reach.seen("attribute" in exc.reason or "INTEGRITY" in exc.reason or "FINGERPRINT" in exc.reason)
        else:
            reach.seen(True)
            message.has_integrity(b"password")
            stun.read_mapped_address(message)
            ask_and_answer(message)

    fuzz()
    reach.check()


def test_framing_fuzz() -> None:
    reach = Reach("framed packets")

    @given(st.lists(st.binary(max_size=60) | st.binary(max_size=30).map(lambda data: framed([data], 0)), max_size=6))
    def fuzz(pieces: list[bytes]) -> None:
        deframer, received = Deframer(), 0
        try:
            for piece in pieces:
                packets = deframer.receive_data_untrusted(piece)
                received += sum(map(len, packets))
                assert all(0 < len(packet) <= MAX_PACKET_BYTES for packet in packets)
        except FramingMalformed:
            reach.seen(received > 0)
        else:
            reach.seen(True)
        assert received <= sum(map(len, pieces))

    fuzz()
    reach.check()
