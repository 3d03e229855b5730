import pytest

from camgate.wire.onvif.errors import MalformedReply
from camgate.wire.onvif.xml import MAX_BYTES, find, number_of, parse_xml_untrusted, text_of

BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


def test_names_lose_their_namespaces() -> None:
    root = parse_xml_untrusted(b'\r\n <p:a xmlns:p="urn:p" xmlns:q="urn:q" q:token=" 1 "><p:b> text </p:b></p:a>\n')
    assert root.tag == "a"
    assert root.get("token") == " 1 "
    assert text_of(root, "b") == "text"
    assert text_of(root, "b", "c") == ""
    assert find(None, "b") is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BOMB, "a document type"),
        (b"<!doctype html><html/>", "no XML"),
        (b"<a><!ENTITY></a>", "a document type"),
        (BOMB.decode().encode("utf-16"), "no UTF-8 text"),
        (b'<?xml version="1.0" encoding="cp037"?><a/>', "no XML"),
        (b'<?xml version="1.0" encoding="nosuch"?><a/>', "no XML"),
        (b"", "no XML"),
        (b"<html><br></html>", "no XML"),
        (b"<a>&undefined;</a>", "no XML"),
        (b"<a>" * 65 + b"</a>" * 65, "too deep"),
        (b"<a>" + b"<b/>" * 50_000 + b"</a>", "too many elements"),
        (b" " * (MAX_BYTES + 1), "longer than 1 MiB"),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(MalformedReply, match=words) as raised:
        parse_xml_untrusted(data)
    assert str(raised.value).startswith("an ONVIF answer of the camera cannot be read: ")


@pytest.mark.parametrize(("text", "value"), [("12.5", 12.5), ("-1", None), ("nan", None), ("1e10", None), ("x", None)])
def test_numbers(text: str, value: float | None) -> None:
    assert number_of(parse_xml_untrusted(f"<a><b>{text}</b></a>".encode()), "b") == value
