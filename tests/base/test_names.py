"""Which names there can be, and which are the same."""

import unicodedata
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.base.names import composed, is_of_names, likeness
from camgate.config.checks import NAME_SIGNS, Wrong, camera_name, pattern

KITCHEN, DECOMPOSED = "K\u00fcche hinten", "Ku\u0308che hinten"


@pytest.mark.parametrize(
    "name",
    ["front", "Front door 2", KITCHEN, "前門", "двор", "المدخل", "हिन्दी", "Straße.2", "0", "a-b_c.d", "Ὀδός", "한국"],
)
def test_names_of_any_script(name: str) -> None:
    assert camera_name(name) == composed(name)
    assert pattern(name) == composed(name)


UNTIDY = ["", " front", "front ", "front  door", "-front", ".", ".."]
OF_URLS = ["a/b", "a?b", "a#b", "a%20b", "a:b", "a*", "a\tb", "a\nb", "<b>", 'a"b']
UNSEEN = ["a\u00a0b", "a\u200bb", "a\u202eb", "a\ufe0fb", "\u0301a", "caf\u3164", "cam \U0001f4f7", "a\ud800"]


@pytest.mark.parametrize("name", [*UNTIDY, *OF_URLS, *UNSEEN])
def test_names_that_would_break_urls_or_that_nobody_can_tell_apart(name: str) -> None:
    with pytest.raises(Wrong):
        camera_name(name)


def test_a_name_is_the_same_however_its_letters_are_encoded() -> None:
    assert (composed(DECOMPOSED), camera_name(DECOMPOSED)) == (KITCHEN, KITCHEN)
    assert pattern(DECOMPOSED) == KITCHEN
    assert likeness("STRASSE") == likeness("straße")
    assert likeness("\ufb01n") == likeness("FIN"), "a ligature"


@given(st.text(max_size=20))
def test_whatever_is_a_name_survives_a_url(text: str) -> None:
    if is_of_names(text, NAME_SIGNS):
        for form in ("NFC", "NFD"):
            assert composed(unquote(quote(unicodedata.normalize(form, text)))) == composed(text)
