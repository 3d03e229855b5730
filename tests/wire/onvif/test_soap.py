import base64
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest

from camgate.wire.onvif.errors import MalformedReply, OnvifFault
from camgate.wire.onvif.soap import Request, envelope, parse_reply_untrusted, username_token

FIXTURES = Path(__file__).parents[2] / "fixtures" / "onvif"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
REQUEST = Request("urn:x/Do", '<Do xmlns="urn:x"/>')


def test_the_digest_is_that_of_the_specification() -> None:
    # The example of ONVIF's Application Programmer's Guide, section 6.1.1.3.
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    token = username_token("user", "userpassword", nonce=nonce, created=datetime(2010, 9, 16, 7, 50, 45, tzinfo=UTC))
    assert ">tuOSpGlFlIXsozq4HFNeeGeFLEI=<" in token
    assert "userpassword" not in token


def test_an_envelope_is_xml_whatever_the_login_is() -> None:
    zone = timezone(timedelta(hours=2))
    token = username_token("a<&>é", "p", nonce=b"0" * 16, created=datetime(2026, 1, 1, 1, 30, tzinfo=zone))
    root = ElementTree.fromstring(envelope(REQUEST, token))
    assert root.findtext(f".//{WSSE}Username") == "a<&>é"
    created = "2025-12-31T23:30:00Z"
    expected = base64.b64encode(hashlib.sha1(b"0" * 16 + created.encode() + b"p").digest()).decode()
    assert root.findtext(f".//{WSSE}Password") == expected
    assert parse_reply_untrusted(envelope(REQUEST)).tag == "Do"
    assert REQUEST.name == "Do"
    assert REQUEST.content_type.endswith('; action="urn:x/Do"')


@pytest.mark.parametrize(
    ("name", "codes", "is_about_login", "words"),
    [
        ("not-authorized", ("Sender", "NotAuthorized"), True, "Sender not Authorized"),
        ("wsse", ("Sender", "FailedAuthentication"), True, "could not be authenticated"),
        ("soap11", ("NotAuthorized",), True, "authority failure"),
        ("no-action", ("Sender", "ActionNotSupported", "NoSuchService"), False, "Optional Action Not Implemented"),
    ],
)
def test_faults(name: str, codes: tuple[str, ...], is_about_login: bool, words: str) -> None:
    with pytest.raises(OnvifFault, match=words) as raised:
        parse_reply_untrusted((FIXTURES / f"fault-{name}.xml").read_bytes())
    assert raised.value.codes == codes
    assert raised.value.is_about_login == is_about_login


def test_subcodes_without_end() -> None:
    code = "<Subcode><Value>a</Value>" * 20 + "</Subcode>" * 20
    fault = f"<Envelope><Body><Fault><Code><Value>x:b</Value>{code}</Code></Fault></Body></Envelope>"
    with pytest.raises(OnvifFault, match="refuses: without a reason") as raised:
        parse_reply_untrusted(fault.encode())
    assert raised.value.codes == ("b", *"a" * 7)


@pytest.mark.parametrize(
    "data", [b"<a/>", b"<Envelope/>", b"<Envelope><Body/></Envelope>", b"<x><Body><a/></Body></x>"]
)
def test_what_is_no_soap(data: bytes) -> None:
    with pytest.raises(MalformedReply, match="no SOAP message"):
        parse_reply_untrusted(data)
