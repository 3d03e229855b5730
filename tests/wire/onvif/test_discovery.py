from pathlib import Path

import pytest

from camgate.wire.onvif.discovery import Match, parse_matches_untrusted, probe_message, service_place_untrusted
from camgate.wire.onvif.errors import MalformedReply
from camgate.wire.onvif.xml import find, parse_xml_untrusted, text_of

MATCHES = (Path(__file__).parents[2] / "fixtures" / "onvif" / "matches.xml").read_bytes()


def test_the_probe() -> None:
    root = parse_xml_untrusted(probe_message("urn:uuid:ours"))
    assert text_of(root, "Header", "MessageID") == "urn:uuid:ours"
    assert text_of(root, "Header", "Action") == "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"
    assert text_of(find(root, "Body", "Probe"), "Types") == "dn:NetworkVideoTransmitter"


def test_matches() -> None:
    assert parse_matches_untrusted(MATCHES, "urn:uuid:ours") == [
        Match(
            endpoint="urn:uuid:cea94000-fb96-11b3-8260-686dbc5cb15d",
            xaddrs=("http://192.168.1.64/onvif/device_service", "http://[fe80::1]/onvif/device_service"),
            name="Front door",
            hardware="DS-2CD2143",
            location="country/china, city/hangzhou",
        )
    ]


def test_answers_to_others() -> None:
    assert parse_matches_untrusted(MATCHES, "urn:uuid:another") == []


def test_answers_to_nobody() -> None:
    assert len(parse_matches_untrusted(MATCHES.replace(b"urn:uuid:ours", b""), "urn:uuid:ours")) == 1


@pytest.mark.parametrize("data", [b"", b"<Envelope/>", probe_message("urn:uuid:ours")])
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(MalformedReply):
        parse_matches_untrusted(data, "urn:uuid:ours")


@pytest.mark.parametrize(
    ("xaddrs", "place"),
    [
        (("http://10.0.0.1/onvif/device_service", "http://192.0.2.7:8000/onvif/device_service"), "192.0.2.7:8000"),
        (("http://0.0.0.0:8899/onvif/device_service",), "192.0.2.7:8899"),
        (("http://192.0.2.7/x",), "http://192.0.2.7/x"),
        (("https://192.0.2.7/x", "http://[bad", "http://a:99999/x", "nonsense"), ""),
        ((), ""),
    ],
)
def test_where_the_device_service_is(xaddrs: tuple[str, ...], place: str) -> None:
    assert service_place_untrusted(xaddrs, "192.0.2.7") == place
