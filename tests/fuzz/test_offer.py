"""Whatever a viewer sends as an offer or a fragment, only the declared error comes out, and answers stay answers."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.sdp.answer import LocalTransport, SentTrack, build_answer, choose_h264, choose_h265, wanted_video
from camgate.wire.sdp.fragment import FragmentMalformed, parse_fragment_untrusted
from camgate.wire.sdp.offer import OfferMalformed, parse_offer_untrusted
from tests.fakes.frames import H265_FORMAT
from tests.fuzz.reach import Reach

OFFERS = [path.read_text() for path in sorted((Path(__file__).parents[1] / "fixtures" / "offers").glob("*.sdp"))]
TRANSPORT = LocalTransport("near", "n" * 24, "AB", ())


@st.composite
def _mutated(draw: st.DrawFn, texts: list[str]) -> str:
    """One of `texts` with some lines dropped, repeated, swapped or scribbled over."""
    lines = draw(st.sampled_from(texts)).splitlines()
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(lines) - 1)))
        change = draw(st.sampled_from(["drop", "repeat", "scribble", "insert"]))
        if change == "drop":
            del lines[place]
        elif change == "repeat":
            lines.insert(draw(st.integers(0, len(lines))), lines[place])
        elif change == "scribble":
            cut = draw(st.integers(0, len(lines[place])))
            lines[place] = lines[place][:cut] + draw(st.text(max_size=12)) + lines[place][cut + 1 :]
        else:
            lines.insert(place, draw(st.sampled_from("amvosbc")) + "=" + draw(st.text(max_size=30)))
        lines = lines or [""]
    return draw(st.sampled_from(["\r\n", "\n"])).join(lines)


def test_offer_fuzz() -> None:
    reach = Reach("WebRTC offer")

    @given(_mutated(OFFERS))
    def fuzz(text: str) -> None:
        try:
            offer = parse_offer_untrusted(text)
        except OfferMalformed as exc:
            reach.seen(exc.line_number > 1)
            return
        reach.seen(True)
        video = wanted_video(offer)
        if video is not None:
            for codec in (choose_h264(video, "42e01f"), choose_h265(video, H265_FORMAT)):
                if codec is not None:
                    answer = build_answer(offer, 1, TRANSPORT, {video.mid: SentTrack(codec, 1, "front")})
                    assert answer.count("\r\nm=") == len(offer.media)

    fuzz()
    reach.check()


def test_fragment_fuzz() -> None:
    reach = Reach("ICE fragment")
    texts = [
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0",
        "a=candidate:1",
    ]

    @given(_mutated(texts))
    def fuzz(text: str) -> None:
        try:
            parse_fragment_untrusted(text)
        except FragmentMalformed as exc:
            reach.seen("line" in exc.reason)
        else:
            reach.seen(True)

    fuzz()
    reach.check()
