"""Trickle-ICE fragments in and out."""

import pytest

from camgate.wire.sdp.answer import LocalTransport, host_candidates
from camgate.wire.sdp.fragment import FragmentMalformed, build_fragment, parse_fragment_untrusted

RESTART = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
CANDIDATE = "candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host"


def test_reads_a_restart_and_candidates() -> None:
    fragment = parse_fragment_untrusted(RESTART + f"a={CANDIDATE}\r\na=end-of-candidates\r\n")
    assert (fragment.ice_ufrag, fragment.ice_pwd) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert fragment.candidates == (CANDIDATE.removeprefix("candidate:"),)
    assert fragment.end_of_candidates


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no attribute line"),
        ("m=audio 9 RTP/AVP 0", "no attribute line"),
        ("garbage", "line 1"),
        ("a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "without a=ice-ufrag"),
        ("a=ice-ufrag:", "4-256"),
        ("a=ice-ufrag:" + "x" * 257 + "\r\na=ice-pwd:" + "y" * 24, "4-256"),
        ("a=ice-ufrag:abcd\r\na=ice-pwd:" + "y" * 257, "22-256"),
        ("a=ice-ufrag:ab\u2028cd\r\na=ice-pwd:" + "y" * 24, "A-Z a-z"),
        ("a=x\n" * 20_000, "more than"),
    ],
)
def test_defects_are_named(text: str, reason: str) -> None:
    with pytest.raises(FragmentMalformed, match=reason):
        parse_fragment_untrusted(text)


def test_what_we_build_we_read() -> None:
    transport = LocalTransport("near", "n" * 24, "", host_candidates(["192.0.2.1"], 8108))
    fragment = parse_fragment_untrusted(build_fragment(transport, "0"))
    assert (fragment.ice_ufrag, fragment.ice_pwd) == ("near", "n" * 24)
    assert "192.0.2.1 8108 typ host" in fragment.candidates[0]
