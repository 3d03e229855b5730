"""Whatever an ONVIF service or a datagram of WS-Discovery holds, reading it raises an OnvifError or nothing."""

import re
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from camgate.wire.onvif.address import (
    ServiceAddress,
    service_at_untrusted,
    split_address_untrusted,
    stream_url_untrusted,
)
from camgate.wire.onvif.device import (
    read_capabilities_untrusted,
    read_services_untrusted,
    read_time_untrusted,
)
from camgate.wire.onvif.discovery import parse_matches_untrusted, service_place_untrusted
from camgate.wire.onvif.errors import OnvifError, OnvifFault
from camgate.wire.onvif.media import MAX_PROFILES, read_profiles_untrusted, read_stream_uri_untrusted
from camgate.wire.onvif.soap import parse_reply_untrusted
from camgate.wire.onvif.xml import parse_xml_untrusted
from tests.fuzz.mutate import spoiled
from tests.fuzz.reach import Reach

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "onvif").glob("*.xml"))
TOKENS = [b"<", b">", b"/>", b"<!DOCTYPE a>", b"<!ENTITY a 'b'>", b"&a;", b"]]>", b"<![CDATA[", b"xmlns:a=", b"-9e999"]
WORDS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
DIALLED = ServiceAddress("192.0.2.7", 80, "/")


@st.composite
def reshaped(draw: st.DrawFn, valid: bytes) -> bytes:
    """Change up to three elements of an answer, which stays XML."""
    root = ElementTree.fromstring(valid)
    for _ in range(draw(st.integers(0, 3))):
        elements = list(root.iter())
        element, other = draw(st.sampled_from(elements)), draw(st.sampled_from(elements))
        match draw(st.sampled_from(["text", "children", "attributes", "tag", "another"])):
            case "text":
                element.text = draw(st.text(WORDS, max_size=12) | st.sampled_from(["-1", "9" * 400, "NaN", "http://["]))
            case "children":
                del element[:]
            case "attributes":
                element.attrib.clear()
            case "tag":
                element.tag = other.tag
            case "another":
                element.append(ElementTree.fromstring(ElementTree.tostring(other)))
    return ElementTree.tostring(root)


def read(name: str, data: bytes) -> None:
    if name == "matches.xml":
        parse_matches_untrusted(data, "urn:uuid:ours")
        return
    body = parse_reply_untrusted(data)
    assert len(read_profiles_untrusted(body)) <= MAX_PROFILES
    read_stream_uri_untrusted(body)
    read_time_untrusted(body)
    read_services_untrusted(body)
    read_capabilities_untrusted(body)


def test_answers() -> None:
    valid = {path.name: path.read_bytes() for path in FIXTURES}
    with Reach("onvif answers") as reach:

        @settings(max_examples=400)
        @given(st.data(), st.sampled_from(sorted(valid)))
        def fuzz(data: st.DataObject, name: str) -> None:
            spoil = data.draw(st.sampled_from([reshaped(valid[name]), spoiled(valid[name], TOKENS)]))
            try:
                read(name, data.draw(spoil))
            except OnvifFault as fault:
                reach.seen(str(fault).isprintable())
            except OnvifError:
                reach.seen(False)
            else:
                reach.seen(True)

        fuzz()


@given(st.binary(max_size=100))
def test_anything(data: bytes) -> None:
    with suppress(OnvifError):
        parse_xml_untrusted(data)


def test_addresses() -> None:
    with Reach("onvif addresses") as reach:

        @settings(max_examples=300)
        @given(spoiled(b"rtsp://admin:pw@192.168.1.64:554/onvif/device_service?a=b", [b"[", b"]", b"http://", b"://"]))
        def fuzz(data: bytes) -> None:
            text = data.decode("latin-1")
            stream = stream_url_untrusted(text, DIALLED)
            assert stream is None or re.fullmatch(r"rtsps?://192\.0\.2\.7(:[0-9]+)?[!-~]*", stream)
            service = service_at_untrusted(text.replace("rtsp", "http"), DIALLED)
            service_place_untrusted((text.replace("rtsp", "http"),), DIALLED.host)
            assert service is None or (service.host, service.path[:1]) == (DIALLED.host, "/")
            with suppress(OnvifError):
                assert split_address_untrusted(text).port > 0
            reach.seen(stream is not None or service is not None)

        fuzz()
