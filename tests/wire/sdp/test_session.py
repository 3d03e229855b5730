import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.sdp.session import (
    MAX_MEDIA,
    MAX_SDP_BYTES,
    Attribute,
    Attributes,
    MalformedSdp,
    Media,
    SessionDescription,
    parse_sdp_untrusted,
)

WORDS = st.text(
    alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x2FF, exclude_categories=["Z", "C"]), min_size=1
)
NAMES = WORDS.filter(lambda word: ":" not in word)
ATTRIBUTES = st.lists(st.builds(Attribute, NAMES, st.none() | WORDS)).map(Attributes)
LINES = st.lists(st.tuples(st.sampled_from("iucbk"), WORDS)).map(tuple)
MEDIA = st.builds(
    Media,
    kind=WORDS,
    port=st.integers(0, 65535),
    protocol=WORDS,
    formats=st.lists(WORDS).map(tuple),
    lines=LINES,
    attributes=ATTRIBUTES,
)
DESCRIPTIONS = st.builds(
    SessionDescription,
    lines=LINES.map(lambda lines: (("v", "0"), *lines)),
    attributes=ATTRIBUTES,
    media=st.lists(MEDIA, max_size=4).map(tuple),
)


@given(DESCRIPTIONS)
def test_what_is_written_reads_back(description: SessionDescription) -> None:
    assert parse_sdp_untrusted(str(description)) == description
    assert parse_sdp_untrusted(str(description).encode()) == description


def test_example_of_rfc_8866() -> None:
    text = (
        "v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John Smith\r\n"
        "c=IN IP4 198.51.100.1\r\nt=0 0\r\na=recvonly\r\n"
        "m=audio 49170 RTP/AVP 0\r\nm=audio 49180 RTP/AVP 0\r\n"
        "m=video 51372/2 RTP/AVP 99\r\nc=IN IP6 2001:db8::2\r\na=rtpmap:99 h263-1998/90000\r\n"
    )
    description = parse_sdp_untrusted(text)
    assert description.line("o") == "jdoe 3724394400 3724394405 IN IP4 198.51.100.1"
    assert description.line("z") is None
    assert description.attributes.has("recvonly")
    assert description.attributes.value("recvonly") is None
    assert [(media.kind, media.port) for media in description.media] == [
        ("audio", 49170),
        ("audio", 49180),
        ("video", 51372),
    ]
    assert description.media[2].lines == (("c", "IN IP6 2001:db8::2"),)
    assert description.media[2].attributes.value("rtpmap") == "99 h263-1998/90000"
    assert str(description) == text.replace("/2 RTP", " RTP")


def test_attributes_are_found_by_name() -> None:
    attributes = Attributes([Attribute("a", "1"), Attribute("b"), Attribute("a", "2"), Attribute("a")])
    assert list(attributes.values("a")) == ["1", "2"]
    assert attributes.value("a") == "1"
    assert attributes.has("b")
    assert not attributes.has("c")
    assert attributes.value("b") is None


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("s=one\ns=two\nm=video\n", (("s", "one"), ("s", "two"))),
        ("m=video", ()),
        ("v=0\nt=now-\nm=video", (("v", "0"), ("t", "now-"))),
        ("c=IN\nc=IN c=IN IP4 0.0.0.0\nm=video", (("c", "IN"), ("c", "IN c=IN IP4 0.0.0.0"))),
        ("o=- 0x1F -3 IN IPV4\nm=video", (("o", "- 0x1F -3 IN IPV4"),)),
        ("V = 0 \r\r\n words\n=x\nvv=1\n\n M=video", (("v", "0"),)),
        ("\ufeffv=0\nv=0\nm=video", (("v", "0"),)),
    ],
)
def test_headers_that_cameras_spoil(text: str, lines: tuple[tuple[str, str], ...]) -> None:
    description = parse_sdp_untrusted(text)
    assert description.lines == lines
    assert [media.kind for media in description.media] == ["video"]


@pytest.mark.parametrize(
    ("line", "media"),
    [
        ("video\t0\tRTP/AVP\t96", Media(kind="video", protocol="RTP/AVP", formats=("96",))),
        ("video  49170/2  RTP/AVP  96 97 ", Media(kind="video", port=49170, protocol="RTP/AVP", formats=("96", "97"))),
        (
            "application/TP-LINK 0 RTP/AVP smart/1/90000",
            Media(kind="application/TP-LINK", protocol="RTP/AVP", formats=("smart/1/90000",)),
        ),
        ("metadata", Media(kind="metadata")),
        ("", Media(kind="")),
        ("video -1 RTP/AVP 96", Media(kind="video", protocol="RTP/AVP", formats=("96",))),
        ("video 123456 RTP/AVP", Media(kind="video", protocol="RTP/AVP")),
        ("video ² RTP/AVP", Media(kind="video", protocol="RTP/AVP")),
    ],
)
def test_media_lines_that_cameras_spoil(line: str, media: Media) -> None:
    assert parse_sdp_untrusted(f"m={line}").media == (media,)


def test_bytes_beyond_utf_8_are_replaced() -> None:
    assert parse_sdp_untrusted(b"v=0\ns=caf\xe9").line("s") == "caf\ufffd"


@pytest.mark.parametrize("text", ["", "<html></html>", "hello=world\n", "a=control:*\n"])
def test_what_is_no_description(text: str) -> None:
    with pytest.raises(MalformedSdp, match="it has neither a v= nor an m= line"):
        parse_sdp_untrusted(text)


def test_limits() -> None:
    with pytest.raises(MalformedSdp, match="bytes"):
        parse_sdp_untrusted("v=0\n" + "x" * MAX_SDP_BYTES)
    assert len(parse_sdp_untrusted("m=video\n" * MAX_MEDIA).media) == MAX_MEDIA
    with pytest.raises(MalformedSdp, match="malformed session description: 257 media sections, 256 are accepted"):
        parse_sdp_untrusted("m=video\n" * (MAX_MEDIA + 1))
