"""Offers of real browsers, and what is wrong with the others."""

import time
from pathlib import Path

import pytest

from camgate.wire.sdp.offer import Direction, OfferMalformed, parse_format_parameters, parse_offer_untrusted

OFFERS = Path(__file__).parents[2] / "fixtures" / "offers"
FIREFOX = (OFFERS / "firefox-153-linux.sdp").read_text()
ALL_OFFERS = sorted(OFFERS.glob("*.sdp"))


@pytest.mark.parametrize("path", ALL_OFFERS, ids=lambda path: path.stem)
def test_reads_what_browsers_send(path: Path) -> None:
    offer = parse_offer_untrusted(path.read_text())
    video = next(media for media in offer.media if media.kind == "video")
    assert len(offer.ice_ufrag) >= 4
    assert len(offer.ice_pwd) >= 22
    assert offer.setup == "actpass"
    assert offer.fingerprints[0][0] == "sha-256"
    assert video.mid in offer.bundled_mids
    assert video.rtcp_mux
    assert video.direction is Direction.RECVONLY
    assert {"VP8", "H264"} & {codec.name for codec in video.codecs}
    assert any("nack pli" in codec.feedback for codec in video.codecs)


def _without(text: str, start: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(start))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first line must be v=0"),
        ("hello", "first line must be v=0"),
        ("v=0\r\n", "no media section"),
        ("v=0\r\nnonsense\r\n", r"line 2"),
        (FIREFOX.replace("packetization-mode=1", "packetization-mode=1;x=\ra=setup:active"), r"line \d+.*a letter"),
        (_without(FIREFOX, "a=ice-ufrag"), "ice-ufrag or a=ice-pwd is missing"),
        (_without(FIREFOX, "a=ice-pwd"), "ice-ufrag or a=ice-pwd is missing"),
        (_without(FIREFOX, "a=fingerprint"), "fingerprint with sha-256"),
        (_without(FIREFOX, "a=setup"), "a=setup must be"),
        (FIREFOX.replace("a=setup:actpass", "a=setup:passive"), "camgate is the DTLS server"),
        (FIREFOX.replace("a=mid:1", "a=mid:0"), "same mid"),
        (FIREFOX.replace("a=mid:0", "a=mid:" + "x" * 65), "a=mid is empty, too long"),
        (FIREFOX.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 zz"), "pairs of hex digits"),
        (FIREFOX.replace("m=video 9", "m=video nine"), "port of m= is not a number"),
        (FIREFOX.replace("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9\r\na=x:"), "m= needs media"),
        (FIREFOX.replace("H264/90000", "H264/fast"), "needs NAME/CLOCK"),
        ("v=0\r\n" + "a=x\r\n" * 20_000, "more than 65536"),
        ("v=0\r\n" + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 33, "33 media sections"),
    ],
)
def test_defects_are_named(text: str, reason: str) -> None:
    with pytest.raises(OfferMalformed, match=reason):
        parse_offer_untrusted(text)


def test_credentials_that_are_too_short_are_refused() -> None:
    text = "\n".join("a=ice-pwd:short" if line.startswith("a=ice-pwd") else line for line in FIREFOX.splitlines())
    with pytest.raises(OfferMalformed, match="22-256"):
        parse_offer_untrusted(text)


def test_a_bundle_only_section_is_offered_and_port_zero_alone_is_rejected() -> None:
    plain = FIREFOX.replace("m=video 9", "m=video 0")
    assert parse_offer_untrusted(plain).media[0].rejected
    bundled = plain.replace("a=mid:0", "a=mid:0\r\na=bundle-only")
    assert not parse_offer_untrusted(bundled).media[0].rejected


def test_a_payload_type_that_is_repeated_is_read_once() -> None:
    """One POST of 64 kB must not hold up everybody's pictures for seconds."""
    parameters = ";".join(f"a{number}=1" for number in range(3000))
    repeated = f" 119 50\na=fmtp:50 {parameters}\n" + "a=rtpmap:50 H264/90000\n" * 1500
    offer = FIREFOX.replace("\r\n", "\n").replace(" 119\n", repeated, 1)
    started = time.process_time()
    codecs = parse_offer_untrusted(offer).media[0].codecs
    assert time.process_time() - started < 2.0
    assert [codec.payload_type for codec in codecs].count(50) == 1


def test_format_parameters() -> None:
    assert parse_format_parameters("Profile-Level-Id=42e01f; packetization-mode=1;x") == {
        "profile-level-id": "42e01f",
        "packetization-mode": "1",
        "x": "",
    }
