"""Whatever a measured server answers, the benchmark's viewers know what to do."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.bench.signaling import SignalingFailed, parse_answer_untrusted
from tests.fuzz.reach import Reach

ANSWER = [
    "v=0",
    "m=video 9 UDP/TLS/RTP/SAVPF 106",
    "a=ice-ufrag:far0",
    "a=ice-pwd:" + "q" * 24,
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:passive",
    "a=candidate:1 1 udp 2130706431 127.0.0.1 8108 typ host",
    "a=candidate:2 1 UDP 2130706430 192.0.2.1 8108 typ host generation 0",
]


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    lines = list(ANSWER)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        cut = draw(st.integers(0, len(lines[place])))
        if draw(st.booleans()):
            lines[place] = lines[place][:cut] + draw(st.text(max_size=8)) + lines[place][cut + 1 :]
        else:
            lines.insert(place, "a=" + draw(st.sampled_from(["candidate:", "setup:", ""])) + draw(st.text(max_size=30)))
    return "\r\n".join(lines)


def test_answer_fuzz() -> None:
    reach = Reach("WHEP answer")

    @given(_mutated())
    def fuzz(text: str) -> None:
        try:
            server = parse_answer_untrusted(text)
        except SignalingFailed:
            reach.seen(False)
            return
        reach.seen(True)
        assert all(0 < port < 65536 for _, port in server.candidates)

    fuzz()
    reach.check()
