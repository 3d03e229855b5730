"""Whatever a request shows of who sent it, only the declared refusals come out."""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import jwt
from hypothesis import given
from hypothesis import strategies as st

from camgate.auth.access import SESSION
from camgate.auth.errors import LoginRefused
from camgate.auth.signing import Signer, TokenRefused
from camgate.auth.tokens import TOKEN
from camgate.serve.http.identity import (
    MAX_LINKS,
    basic_untrusted,
    credentials_untrusted,
    session_in_untrusted,
    shares_in_untrusted,
)
from camgate.serve.http.signin import BadLogin, login_form_untrusted, login_untrusted, next_path_untrusted
from tests.fuzz.reach import Reach

KEY = bytes(range(32))
NOW_S = 1_000_000.0
VALID = Signer(KEY).sign(TOKEN, {"jti": "1", "exp": NOW_S + 60, "grants": {"view": ["front"]}})

times = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


def test_basic_logins() -> None:
    reach = Reach("Basic login")

    @given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: base64.b64encode(text.encode())))
    def fuzz(text: bytes) -> None:
        try:
            name, password = basic_untrusted(text.decode("latin-1"))
        except LoginRefused:
            reach.seen(b":" not in text and text != b"")
        else:
            reach.seen(True)
            assert ":" not in name
            assert base64.b64encode(f"{name}:{password}".encode()) == text

    fuzz()
    reach.check()


def test_headers_and_queries() -> None:
    reach = Reach("credentials")
    values = st.binary(max_size=60) | st.sampled_from(
        [b"Basic YTpi", b"bearer x.y.z", b"Digest a=b", b"Bearer", b"basic "]
    )
    headers = st.lists(
        st.tuples(st.sampled_from([b"authorization", b"Cookie", b"cookie", b"host"]), values), max_size=4
    )

    @given(
        headers,
        st.binary(max_size=40)
        | st.builds(lambda rest, fields: b"token=" + rest + b"&a" * fields, st.binary(max_size=20), st.integers(0, 99)),
    )
    def fuzz(given_headers: list[tuple[bytes, bytes]], query: bytes) -> None:
        scope: dict[str, Any] = {"client": ("192.0.2.1", 5), "headers": given_headers, "query_string": query}
        try:
            found = credentials_untrusted(scope)
        except LoginRefused:
            reach.seen(True)
        else:
            reach.seen(found.bearer is not None or found.login is not None or found.session is not None)
            assert sum(each is not None for each in (found.bearer, found.login, found.session)) <= 1

    fuzz()
    reach.check()


def test_cookies() -> None:
    reach = Reach("Cookie")
    names = st.sampled_from(["session", "share", "share_1", "share_2"])
    parts = st.text(max_size=20) | st.builds(lambda name, text: f"camgate_{name}={text}", names, st.text(max_size=10))

    @given(st.lists(parts, max_size=20).map("; ".join))
    def fuzz(cookie: str) -> None:
        session, shares = session_in_untrusted(cookie), shares_in_untrusted(cookie)
        reach.seen(session is not None or bool(shares))
        assert len(shares) <= MAX_LINKS
        assert not any(";" in value for value in (session or "", *shares.values()))

    fuzz()
    reach.check()


def look_for_logins(
    reach: Reach,
    read_untrusted: Callable[[bytes], tuple[str, str]],
    bodies: st.SearchStrategy[bytes],
    begin: bytes,
) -> None:
    @given(st.binary(max_size=40) | bodies)
    def fuzz(body: bytes) -> None:
        try:
            name, password = read_untrusted(body)
        except BadLogin:
            reach.seen(body.startswith(begin))
        else:
            reach.seen(True)
            assert name
            assert password

    fuzz()
    reach.check()


def test_sign_ins() -> None:
    fields = st.fixed_dictionaries(
        {"name": st.text(max_size=5) | st.none(), "password": st.text(max_size=5) | st.integers()}
    )
    bodies = fields.map(lambda value: json.dumps(value).encode())
    look_for_logins(Reach("sign-in"), login_untrusted, bodies, b"{")


def test_sign_ins_by_form() -> None:
    fields = st.fixed_dictionaries({"name": st.text(max_size=5), "password": st.text(max_size=5)})
    bodies = fields.map(lambda value: urlencode(value, errors="surrogatepass").encode())
    look_for_logins(Reach("sign-in form"), login_form_untrusted, bodies, b"name=")


def test_where_to_go_after_signing_in() -> None:
    reach = Reach("next")
    pieces = st.sampled_from(
        ["/", "//", "\\", ".", "..", ":", "@", "a", "evil.example", "https:", "%2f", "%5c", "\t", "\n", "?", "#"]
    )
    paths = st.lists(pieces, max_size=6).map(lambda parts: "/" + "".join(parts))

    @given(st.text(max_size=20) | paths)
    def fuzz(wanted: str) -> None:
        path = next_path_untrusted(wanted)
        reach.seen(path is not None)
        if path is not None:
            # As browsers do (URL standard, section 4.4): some white space is dropped, and a backslash is a slash.
            seen = re.sub(r"[\t\r\n]", "", path).replace("\\", "/").strip()
            there = urlsplit(urljoin("https://cams.example/signin", seen))
            assert (there.scheme, there.netloc) == ("https", "cams.example")

    fuzz()
    reach.check(at_least=0.1)


def test_tokens() -> None:
    reach = Reach("token")
    signer = Signer(KEY)

    @st.composite
    def tokens(draw: st.DrawFn) -> str:
        match draw(st.integers(0, 3)):
            case 0:
                return draw(st.text(max_size=60))
            case 1:
                place = draw(st.integers(0, len(VALID) - 1))
                return VALID[:place] + draw(st.text(max_size=3)) + VALID[place + 1 :]
            case 2:
                return signer.sign(TOKEN, {"exp": draw(times), "nbf": draw(times)})
            case _:
                return signer.sign(draw(st.text(max_size=5)), {"exp": NOW_S + 60})

    @given(tokens())
    def fuzz(token: str) -> None:
        try:
            claims = signer.read_untrusted(TOKEN, token, NOW_S)
        except TokenRefused:
            reach.seen(token.count(".") == 2)
        else:
            reach.seen(True)
            assert claims["exp"] > NOW_S

    fuzz()
    reach.check()


def test_no_other_kind_of_token_passes() -> None:
    """Unsigned, of another key, for another use, over, not yet valid, without an end, by another issuer."""
    signer, claims = Signer(KEY), {"iss": "camgate", "aud": TOKEN, "exp": NOW_S + 60}
    refused = [
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, bytes(32), algorithm="HS256"),
        jwt.encode(claims, KEY * 2, algorithm="HS512"),
        signer.sign(SESSION, {"exp": NOW_S + 60}),
        signer.sign(TOKEN, {"exp": NOW_S}),
        signer.sign(TOKEN, {"exp": NOW_S + 60, "nbf": NOW_S + 1}),
        signer.sign(TOKEN, {"jti": "1"}),
        jwt.encode({**claims, "iss": "elsewhere"}, KEY, algorithm="HS256"),
        VALID + "A" * 10_000,
        VALID.replace(".", "..", 1),
        "",
    ]
    for token in refused:
        try:
            signer.read_untrusted(TOKEN, token, NOW_S)
        except TokenRefused:
            continue
        raise AssertionError(token)
    assert signer.read_untrusted(TOKEN, VALID, NOW_S)["jti"] == "1"


def test_a_token_is_read_by_the_clock_that_is_given() -> None:
    assert time.time() > NOW_S + 60
    assert Signer(KEY).read_untrusted(TOKEN, VALID, NOW_S + 59)
