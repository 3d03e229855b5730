"""Registered secrets are found however they are escaped; credentials nobody registered are found by their looks."""

import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.base.secrets import MASK, MIN_FREE_STANDING_CHARS, Secrets

secrets_of_any_kind = st.text(min_size=MIN_FREE_STANDING_CHARS, max_size=40).filter(
    lambda value: value.strip() and not set(value) <= {"*"}
)


@given(secret=secrets_of_any_kind, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_registered_secret_never_shows(secret: str, before: str, after: str) -> None:
    registry = Secrets()
    registry.register(secret)
    for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], html.escape(secret)):
        assert form not in registry.mask(before + form + after)


@given(secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=40).filter(str.strip))
def test_nor_when_percent_encoded(secret: str) -> None:
    registry = Secrets()
    registry.register(secret)
    in_small_letters = re.sub("%..", lambda escape: escape[0].lower(), quote(secret))
    for form in (quote(secret), quote(secret, safe=""), in_small_letters, quote_plus(secret)):
        assert registry.mask(f"<{form}>") == f"<{MASK}>"


@given(values=st.lists(secrets_of_any_kind, min_size=2, max_size=5))
def test_of_several_secrets_none_shows(values: list[str]) -> None:
    registry = Secrets()
    for value in values:
        registry.register(value)
    masked = registry.mask(" | ".join(values))
    assert not any(value in masked.replace(MASK, "") for value in values if value.isalnum())


def test_one_secret_inside_another() -> None:
    registry = Secrets()
    registry.register("rose")
    registry.register("rosegarden")
    assert registry.mask("rosegarden rose") == "*** ***"


def test_a_short_secret_is_masked_as_a_word_only() -> None:
    registry = Secrets()
    registry.register("a1")
    assert registry.mask("a1 a12 xa1 pass:a1@") == "*** a12 xa1 pass:***@"


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_blank_values_mask_nothing(blank: str) -> None:
    registry = Secrets()
    registry.register(blank)
    assert registry.mask("a sentence\n") == "a sentence\n"


def test_a_login_hides_its_basic_token() -> None:
    registry = Secrets()
    registry.register_login("admin", "hunter22")
    assert registry.mask("sent YWRtaW46aHVudGVyMjI= for hunter22") == "sent *** for ***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("open rtsp://admin:pw@192.0.2.1:554/live now", "open rtsp://***@192.0.2.1:554/live now"),
        ("rtsp://admin@cam/x", "rtsp://***@cam/x"),
        ("rtsp://admin:p@ss/w?rd#1@cam/x", "rtsp://***@cam/x"),
        ("RTSPS://u:p@cam/x and rtsp://u:p@cam/y", "RTSPS://***@cam/x and rtsp://***@cam/y"),
        ("rtsp://cam/live me@example.org", "rtsp://cam/live me@example.org"),
        ('Authorization: Digest username="a", response="1"\r\nCSeq: 2', "Authorization: ***\r\nCSeq: 2"),
        ("b'Authorization: Basic YTpi\\r\\nCSeq: 2'", "b'Authorization: ***\\r\\nCSeq: 2'"),
        ("(b'authorization', b'Basic YTpi')", "(b'authorization', ***"),
        ("Proxy-Authorization=Bearer abc", "Proxy-Authorization=***"),
        ("the camera wants authorization first", "the camera wants authorization first"),
        (f'Digest response="{"0a" * 16}", uri="x"', 'Digest response="***", uri="x"'),
        ("/user=admin_password=tlJwpbo6_channel=1.sdp", "/user=admin_password=***"),
        ("/video?usr=admin&pwd=x&n=1", "/video?usr=admin&pwd=***&n=1"),
    ],
)
def test_credentials_that_nobody_registered(text: str, masked: str) -> None:
    assert Secrets().mask(text) == masked
