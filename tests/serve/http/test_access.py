"""Host names and origins, as pure decisions."""

import pytest

from camgate.serve.http.access import AccessRules, Authority, is_loopback, is_same_origin, parse_authority_untrusted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", Authority("localhost", None)),
        ("LocalHost.:8107", Authority("localhost", 8107)),
        ("127.0.0.1:", Authority("127.0.0.1", None)),
        ("[::1]", Authority("::1", None)),
        ("[2001:DB8::1]:443", Authority("2001:db8::1", 443)),
        ("my_nas", Authority("my_nas", None)),
        ("", None),
        ("[::1", None),
        ("[fe80]", None),
        ("::1", None),
        ("host:65536", None),
        ("host:٣", None),
        ("a b", None),
        ("user@host", None),
        ("höst", None),
    ],
)
def test_authorities(text: str, expected: Authority | None) -> None:
    assert parse_authority_untrusted(text) == expected


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.evil.example", "xlocalhost", "128.0.0.1", "::2", "0.0.0.0", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("http://a", "a", True),
        ("http://a:80", "a", True),
        ("https://a", "a:443", True),
        ("http://A:1", "a:1", True),
        ("http://a", "a:443", False),
        ("http://a", "a.b", False),
        ("ftp://a", "a", False),
        ("a", "a", False),
        ("null", "null", False),
        ("http://[::1", "[::1]", False),
        ("http://a", "", False),
    ],
)
def test_same_origin(origin: str, host: str, expected: bool) -> None:
    assert is_same_origin(origin, host) == expected


def test_a_listener_for_others_serves_any_name_unless_told_otherwise() -> None:
    anyone = AccessRules(cors_origins=(), allowed_hosts=(), loopback_only=False)
    assert anyone.serves_host("cams.example")
    named = AccessRules(cors_origins=(), allowed_hosts=("[2001:DB8::1]", "cams.example"), loopback_only=False)
    assert named.serves_host("cams.example")
    assert named.serves_host("2001:db8::1")
    assert named.serves_host("localhost")
    assert not named.serves_host("evil.example")


def test_an_origin_without_a_host_is_foreign() -> None:
    rules = AccessRules(cors_origins=("https://a.example",), allowed_hosts=(), loopback_only=True)
    assert not rules.trusts("http://localhost", None)
    assert rules.trusts("https://a.example", None)
