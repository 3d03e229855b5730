"""Whatever WHEP clients send, only the declared errors come out; the whole application answers in problem documents."""

from functools import partial
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.base.log_tail import KEPT_LINES
from camgate.config.model import LimitSettings, ServerSettings
from camgate.relay.errors import BadOffer, BadWidth, UnprocessableFragment
from camgate.serve.http.access import AccessRules, is_same_origin, parse_authority_untrusted
from camgate.serve.http.application import build_application
from camgate.serve.http.control import NoControl
from camgate.serve.http.feed import CameraFeed
from camgate.serve.http.gate import Gate, Guard
from camgate.serve.http.logs import BadLogQuery, parse_query_untrusted
from camgate.serve.http.pages import WebFiles
from camgate.serve.http.permissions import Permissions
from camgate.serve.http.rates import Rates
from camgate.serve.http.snapshot import MOST_WIDTH, parse_width_untrusted
from camgate.serve.http.whep import (
    MAX_WAIT_S,
    BadWait,
    IfMatchRequired,
    fragment_untrusted,
    if_match_untrusted,
    offer_untrusted,
    wait_s_untrusted,
)
from tests.fakes.engine import FakeEngine
from tests.fuzz.reach import Reach

OFFER = b"v=0\r\no=- 42 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
MANY_BRACKETS = b"[...]"
"""Stands for 60,000 of them, which would drown a report."""
FRAGMENT = b"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=end-of-candidates\r\n"


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid body with a piece cut out and another put in."""
    start = draw(st.integers(0, len(valid)))
    end = start + draw(st.integers(0, 10))
    pieces = st.binary(max_size=10) | st.text(max_size=5).map(str.encode)
    return valid[:start] + draw(pieces | st.sampled_from([b"\0", b"\r\n\r\n", b"\xff"])) + valid[end:]


def test_widths_of_snapshots() -> None:
    reach = Reach("snapshot width")

    @given(st.integers(-100, 100_000).map(str) | st.text(max_size=10))
    def fuzz(text: str) -> None:
        try:
            width = parse_width_untrusted(text)
        except BadWidth:
            reach.seen(text.isdecimal())
        else:
            reach.seen(True)
            assert 0 < width <= MOST_WIDTH

    fuzz()
    reach.check()


def test_queries_of_the_log() -> None:
    reach = Reach("log query")
    numbers = st.integers(-10, 2_000).map(str) | st.text(max_size=20)
    levels = st.sampled_from(["debug", "error", "loud"])

    @given(st.fixed_dictionaries({}, optional={"after": numbers, "limit": numbers, "level": levels, "camera": numbers}))
    def fuzz(arguments: dict[str, str]) -> None:
        try:
            query = parse_query_untrusted(arguments)
        except BadLogQuery:
            reach.seen(arguments.get("level") != "loud")
        else:
            reach.seen(True)
            assert query.after >= 0
            assert 0 < query.limit <= KEPT_LINES

    fuzz()
    reach.check()


def test_offers() -> None:
    reach = Reach("WHEP offer")

    @given(mutated(OFFER) | st.binary(max_size=50))
    def fuzz(body: bytes) -> None:
        try:
            text = offer_untrusted(body)
        except BadOffer:
            reach.seen(body.startswith(b"v=0"))
        else:
            reach.seen(True)
            assert text.encode() == body

    fuzz()
    reach.check()


def test_fragments() -> None:
    reach = Reach("WHEP fragment")
    line = st.tuples(st.sampled_from("amvs"), st.text(max_size=10)).map("=".join)
    lines = st.lists(line, max_size=4).map("\r\n".join).map(lambda text: text.encode())

    @given(lines | mutated(FRAGMENT) | st.binary(max_size=50))
    def fuzz(body: bytes) -> None:
        try:
            text = fragment_untrusted(body)
        except UnprocessableFragment:
            reach.seen(False)
        else:
            reach.seen(True)
            assert text.encode() == body

    fuzz()
    reach.check()


def test_waits() -> None:
    reach = Reach("WHEP wait")

    @given(st.floats().map(str) | st.floats(0, 12).map(str) | st.text(max_size=20))
    def fuzz(text: str) -> None:
        try:
            wait_s = wait_s_untrusted(text)
        except BadWait:
            reach.seen(False)
        else:
            reach.seen(True)
            assert 0 <= wait_s <= MAX_WAIT_S

    fuzz()
    reach.check()


def test_if_match() -> None:
    reach = Reach("If-Match")
    tags = st.sampled_from(["*", '"a"', 'W/"a"', '"', "a", ",", " ", '"etag-1"', "\\", "é"])

    @given(st.lists(tags, min_size=1, max_size=4).map("".join) | st.text(max_size=20))
    def fuzz(value: str) -> None:
        try:
            etag = if_match_untrusted(value)
        except IfMatchRequired:
            reach.seen(False)
        else:
            reach.seen(True)
            assert etag is None or etag in value

    fuzz()
    reach.check()


def test_hosts_and_origins() -> None:
    reach = Reach("Host")
    hosts = st.sampled_from(["localhost", "127.0.0.1", "[::1]"]) | st.from_regex(r"[A-Za-z0-9_.-]{1,9}", fullmatch=True)
    valid = st.tuples(hosts, st.sampled_from(["", ":"]) | st.integers(0, 65535).map(":{}".format)).map("".join)
    odd = st.tuples(hosts, st.sampled_from([":65536", ":-1", "]", "[", "@a", "/", "%41", " "])).map("".join)

    @given(valid | odd | st.text(max_size=20))
    def fuzz(text: str) -> None:
        authority = parse_authority_untrusted(text)
        reach.seen(authority is not None)
        if authority is not None:
            assert authority.host == authority.host.lower()
            assert authority.port is None or 0 <= authority.port <= 0xFFFF
            if "." not in text:
                assert is_same_origin(f"http://{text}", text)
        is_same_origin(text, "localhost")

    fuzz()
    reach.check()


bodies = mutated(OFFER) | mutated(FRAGMENT) | st.just(MANY_BRACKETS) | st.binary(max_size=50)
odd_headers = {
    "Content-Type": st.sampled_from(["application/sdp", "application/trickle-ice-sdpfrag", "a/b; c=\xff", ";"]),
    "If-Match": st.sampled_from(["*", '"etag-1"', '"x"', "\xff"]),
    "Origin": st.sampled_from(["http://localhost", "null", "\xff"]),
}
posts = st.tuples(
    st.just("POST"),
    st.sampled_from(["/whep/front", "/whep/front?wait=1", "/whep/front?wait=nan", "/whep/garage"]),
    bodies,
    st.just({"Host": "localhost", "Content-Type": "application/sdp"}),
)
patches = st.tuples(
    st.just("PATCH"),
    st.sampled_from(["/whep/front/session-1", "/whep/front/none"]),
    bodies,
    st.just({"Host": "localhost", "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}),
)
odd_requests = st.tuples(
    st.sampled_from(["POST", "PATCH", "DELETE", "GET", "OPTIONS", "PUT"]),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=10).map("/whep/{}".format),
    bodies,
    st.fixed_dictionaries({"Host": st.just("localhost")}, optional=odd_headers),
)


def test_whole_requests(tmp_path: Path) -> None:
    reach = Reach("WHEP request")
    engine = FakeEngine()
    rules = AccessRules(cors_origins=("*",), allowed_hosts=(), loopback_only=True)
    web = WebFiles(tmp_path)
    access, rates = Access(), Rates(LimitSettings(requests_per_s=0, offers_per_s=0))
    app = build_application(
        engine, ServerSettings(), rules, CameraFeed(engine), web, access, rates, NoControl(), trio.Event()
    )
    gate = Gate(app.asgi_app, rules, Guard(access, Permissions(app), engine.groups), rates)
    app.asgi_app = gate.__call__  # type: ignore[method-assign]

    @settings(deadline=None)
    @given(posts | patches | odd_requests)
    def fuzz(request: tuple[str, str, bytes, dict[str, str]]) -> None:
        method, target, body, headers = request
        body = b"[" * 60_000 if body == MANY_BRACKETS else body
        status, content_type = trio.run(partial(exchange, app, method, target, body, headers))
        reach.seen(status not in {404, 405, 415})
        assert status < 500
        if status >= 400:
            assert content_type == "application/problem+json"

    fuzz()
    reach.check()


async def exchange(app: QuartTrio, method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    response = await app.test_client().open(target, method=method, data=body, headers=headers)
    return response.status_code, response.headers.get("Content-Type", "")
