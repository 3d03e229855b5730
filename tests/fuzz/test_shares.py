"""Whatever is posted to make or open a share link, only BadShare comes out."""

import json

from hypothesis import given
from hypothesis import strategies as st

from camgate.auth.shares import MAX_SPAN_S, MIN_SPAN_S
from camgate.serve.http.shares import BadShare, secret_untrusted, wanted_share_untrusted
from tests.fuzz.reach import Reach

values = st.none() | st.booleans() | st.integers() | st.integers(10, 10_000) | st.floats() | st.text(max_size=5)


def bodies(*names: str) -> st.SearchStrategy[bytes]:
    fields = st.dictionaries(st.sampled_from(names), values, max_size=3)
    written = fields.map(lambda given: json.dumps(given).encode())
    # What is a JSON object comes more often than what is none, which is soon told.
    return written | written | written | st.binary(max_size=20)


def shares() -> st.SearchStrategy[bytes]:
    """Bodies that say for how long, which is what the rest of the reading hangs on."""
    spans = st.fixed_dictionaries({"seconds": values}, optional={"label": values})
    return bodies("seconds", "until", "label") | spans.map(lambda given: json.dumps(given).encode())


def test_wanted_shares() -> None:
    reach = Reach("shares")

    @given(shares(), st.floats(0, 2e9))
    def fuzz(body: bytes, now_s: float) -> None:
        try:
            span_s, label = wanted_share_untrusted(body, now_s)
        except BadShare as error:
            reach.seen("number" in str(error) or "works" in str(error) or "label" in str(error))
        else:
            reach.seen(True)
            assert MIN_SPAN_S <= span_s <= MAX_SPAN_S
            assert label.isprintable()

    fuzz()
    reach.check()


def test_secrets() -> None:
    reach = Reach("secrets of shares")

    @given(bodies("secret"))
    def fuzz(body: bytes) -> None:
        try:
            secret = secret_untrusted(body)
        except BadShare:
            reach.seen(b"secret" in body)
        else:
            reach.seen(True)
            assert secret

    fuzz()
    reach.check()
