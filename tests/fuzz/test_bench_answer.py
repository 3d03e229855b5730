"""Whatever a measured server answers, the benchmark's viewers, and the doctor, know what to do."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.bench.signaling import SignalingFailed, parse_answer_untrusted
from camgate.doctor.reach import MAX_CANDIDATES, candidates_untrusted
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
    "a=candidate:3 1 tcp 2105524479 fd00::1 8108 typ host tcptype passive",
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


def test_the_doctors_look_at_candidates_fuzz() -> None:
    reach = Reach("candidates of an answer")

    @given(_mutated())
    def fuzz(text: str) -> None:
        found = candidates_untrusted(text, "udp") + candidates_untrusted(text, "tcp")
        reach.seen(bool(found))
        assert len(found) <= 2 * MAX_CANDIDATES
        assert all(0 < port < 65536 for _, port in found)

    fuzz()
    reach.check()
