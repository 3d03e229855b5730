import pytest

from camgate.wire.onvif.address import (
    MalformedAddress,
    ServiceAddress,
    service_at_untrusted,
    split_address_untrusted,
    stream_url_untrusted,
)

DIALLED = ServiceAddress("cam.local", 8000, "/onvif/device_service")


@pytest.mark.parametrize(
    ("text", "url", "authority"),
    [
        ("192.0.2.7", "http://192.0.2.7:80/onvif/device_service", "192.0.2.7"),
        ("cam.local:8000", "http://cam.local:8000/onvif/device_service", "cam.local:8000"),
        ("[fe80::1%eth0]:80", "http://[fe80::1%eth0]:80/onvif/device_service", "[fe80::1]"),
        ("http://192.0.2.7/", "http://192.0.2.7:80/onvif/device_service", "192.0.2.7"),
        (" http://192.0.2.7:81/x?y=1 ", "http://192.0.2.7:81/x?y=1", "192.0.2.7:81"),
    ],
)
def test_addresses(text: str, url: str, authority: str) -> None:
    address = split_address_untrusted(text)
    assert (str(address), address.authority) == (url, authority)


@pytest.mark.parametrize(
    "text", ["", "a:0", "a:65536", "a:b", "::1", "a b", "https://a/", "u:hush@a", "http://u:hush@a/"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(MalformedAddress, match="without a login") as raised:
        split_address_untrusted(text)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("xaddr", "url"),
    [
        ("http://cam.local:8899/onvif/media", "http://cam.local:8899/onvif/media"),
        ("http://CAM.local/onvif/media?x", "http://cam.local:80/onvif/media?x"),
        ("http://192.168.1.64/onvif/media", "http://cam.local:8000/onvif/media"),
        ("http://0.0.0.0:80/onvif/media", "http://cam.local:8000/onvif/media"),
        ("https://cam.local:443/onvif/media", "http://cam.local:8000/onvif/media"),
        ("http://[fe80::1]:x/onvif/media", None),
        ("http://[bad/onvif", None),
        ("http://a/b\r\nX-Header: c", None),
        ("/onvif/media", None),
        ("", None),
    ],
)
def test_services_stay_at_the_host_that_was_dialled(xaddr: str, url: str | None) -> None:
    found = service_at_untrusted(xaddr, DIALLED)
    assert (found and str(found)) == url


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("rtsp://cam.local:554/a?b=1&c=2", "rtsp://cam.local:554/a?b=1&c=2"),
        ("rtsp://0.0.0.0/a", "rtsp://cam.local/a"),
        ("rtsp://192.168.1.64:8554/a", "rtsp://cam.local:8554/a"),
        ("rtsps://[fe80::1]:322/a", "rtsps://cam.local:322/a"),
        ("rtsp://admin:hush@192.168.1.64/a", "rtsp://cam.local/a"),
        ("rtsp://cam.local/a\n[cameras.x]", "rtsp://cam.local/a%0A[cameras.x]"),
        ("http://cam.local/a", None),
        ("", None),
    ],
)
def test_streams_stay_at_the_host_that_was_dialled(uri: str, url: str | None) -> None:
    assert stream_url_untrusted(uri, DIALLED) == url


def test_streams_of_an_ipv6_camera() -> None:
    dialled = ServiceAddress("2001:db8::7", 80, "/")
    assert stream_url_untrusted("rtsp://10.0.0.1:554/a", dialled) == "rtsp://[2001:db8::7]:554/a"
