from datetime import UTC, datetime
from pathlib import Path

import pytest

from camgate.wire.onvif.device import (
    MediaServices,
    read_capabilities_untrusted,
    read_services_untrusted,
    read_time_untrusted,
)
from camgate.wire.onvif.soap import parse_reply_untrusted
from camgate.wire.onvif.xml import Element

FIXTURES = Path(__file__).parents[2] / "fixtures" / "onvif"


def reply(name: str) -> Element:
    return parse_reply_untrusted((FIXTURES / f"{name}.xml").read_bytes())


def test_time() -> None:
    assert read_time_untrusted(reply("time")) == datetime(2026, 11, 28, 4, 7, 5, tzinfo=UTC)


@pytest.mark.parametrize("name", ["time-without-utc", "services"])
def test_a_camera_without_time(name: str) -> None:
    assert read_time_untrusted(reply(name)) is None


def test_impossible_time() -> None:
    text = (FIXTURES / "time.xml").read_text().replace(">11<", ">13<")
    assert read_time_untrusted(parse_reply_untrusted(text.encode())) is None


def test_services() -> None:
    found = read_services_untrusted(reply("services"))
    assert found == MediaServices("http://192.168.1.64/onvif/Media", "http://192.168.1.64/onvif/Media2")


def test_capabilities() -> None:
    found = read_capabilities_untrusted(reply("capabilities"))
    assert found == MediaServices("http://192.168.1.108/onvif/media_service")


def test_a_device_without_media() -> None:
    assert not read_services_untrusted(reply("time"))
    assert not read_capabilities_untrusted(reply("time"))
