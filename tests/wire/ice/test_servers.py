"""URLs by RFC 7064 and RFC 7065, credentials as coturn makes them, Link headers by RFC 8288."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from camgate.wire.ice.servers import (
    BadIceUrl,
    IceServer,
    IceUrl,
    link_values,
    parse_ice_url,
    quoted,
    turn_credentials,
)

# RFC 9110 section 5.6.4, written down anew.
QUOTED_STRING = re.compile(r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"')
# RFC 8288 section 3: link-value = "<" URI-Reference ">" *( OWS ";" OWS link-param )
LINK_VALUE = re.compile(r'<[^<>"\s]+>(?:\s*;\s*[A-Za-z-]+=(?:"(?:[^"\\]|\\.)*"|[!#$%&\'*+.^_`|~0-9A-Za-z-]+))*')


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("stun:stun.example.org", IceUrl("stun", "stun.example.org", 3478)),
        ("stuns:192.0.2.1:443", IceUrl("stuns", "192.0.2.1", 443)),
        ("TURN:turn.example.org", IceUrl("turn", "turn.example.org", 3478)),
        ("turns:[2001:db8::1]?transport=tcp", IceUrl("turns", "2001:db8::1", 5349, "tcp")),
        ("turn:turn.example.org:1?transport=udp", IceUrl("turn", "turn.example.org", 1, "udp")),
    ],
)
def test_reads_urls(text: str, url: IceUrl) -> None:
    assert parse_ice_url(text) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("turn://turn.example.org", "neither // nor a login"),
        ("turn:user:secret@turn.example.org", "neither // nor a login"),
        ("https:turn.example.org", "no STUN or TURN URL"),
        ("turn.example.org:3478", "no STUN or TURN URL"),
        ("turn:turn.example.org:0", "a port that is none"),
        ("turn:turn.example.org:65536", "a port that is none"),
        ("stun:stun.example.org?transport=tcp", "a transport that it cannot have"),
        ("turn:turn.example.org?transport=sctp", "a transport that it cannot have"),
        ("turn:[2001:db8::1::]", "an address in brackets"),
        ("turn:turn.example.org>; rel=x", "no STUN or TURN URL"),
        ("", "no STUN or TURN URL"),
    ],
)
def test_refuses_what_is_no_url_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(BadIceUrl, match=reason):
        parse_ice_url(text)


def test_credentials_are_those_of_the_draft() -> None:
    # $ printf 1700000000:anna | openssl dgst -sha1 -hmac north -binary | base64
    assert turn_credentials("north", "anna", 1_700_000_000) == (
        "1700000000:anna",
        "WS1fjjHj2gNlXzhc/ZcwmC3ofIo=",
    )


@pytest.mark.parametrize("user", ["", "a:b", 'quo"te', "zoë", "a b", "x" * 65, "line\r\nbreak"])
def test_no_name_of_a_user_gets_into_headers_that_could_not_stand_there(user: str) -> None:
    assert turn_credentials("north", user, 5)[0] == "5:viewer"


def test_a_server_without_login_is_a_url_and_a_relation() -> None:
    assert link_values(IceServer(("stun:stun.example.org",))) == ['<stun:stun.example.org>; rel="ice-server"']


def test_a_link_is_what_the_draft_for_whep_shows() -> None:
    server = IceServer(("turn:a.example", "turns:b.example?transport=tcp"), "5:anna", "c2VjcmV0", 60.5)
    assert link_values(server) == [
        '<turn:a.example>; rel="ice-server"; username="5:anna"; credential="c2VjcmV0"; '
        'credential-type="password"; max-age=60',
        '<turns:b.example?transport=tcp>; rel="ice-server"; username="5:anna"; credential="c2VjcmV0"; '
        'credential-type="password"; max-age=60',
    ]


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)


@given(PRINTABLE, PRINTABLE)
def test_whatever_stands_in_credentials_the_link_is_well_formed_and_reads_back(username: str, credential: str) -> None:
    (value,) = link_values(IceServer(("turn:turn.example.org",), username, credential, 60))
    assert LINK_VALUE.fullmatch(value)
    assert QUOTED_STRING.fullmatch(quoted(username))
    unquoted = re.findall(r'(?:username|credential)="((?:[^"\\]|\\.)*)"', value)
    assert [re.sub(r"\\(.)", r"\1", text) for text in unquoted[:2]] == [username, credential]


def test_another_parser_of_parameters_reads_them() -> None:
    (value,) = link_values(IceServer(("turn:turn.example.org",), 'a "b" \\c', "d;e,f", 60))
    target, parameters = parse_options_header(value)
    assert target == "<turn:turn.example.org>"
    assert (parameters["username"], parameters["credential"]) == ('a "b" \\c', "d;e,f")


def test_browsers_get_what_they_want() -> None:
    assert IceServer(("turn:a.example",), "u", "c").members() == {
        "urls": ["turn:a.example"],
        "username": "u",
        "credential": "c",
    }
    assert IceServer(("stun:a.example",)).members() == {"urls": ["stun:a.example"]}


def test_a_server_does_not_show_its_credential() -> None:
    assert "hush" not in repr(IceServer(("turn:a.example",), "u", "hush"))
