"""Hashes of passwords: made, recognised, refused."""

import re

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.password_hash import HashCost, UnusableHash, check_password_hash, hash_password, password_bytes

GOOD = "$argon2id$v=19$m=32768,t=2,p=1$" + "c2FsdHNhbHRzYWx0c2E" + "$" + "A" * 43


def test_a_hash_is_one_that_any_argon2_library_checks() -> None:
    kept = hash_password("correct horse")
    assert check_password_hash(kept) == kept
    assert HashCost.of(kept) == HashCost()
    assert PasswordHasher().verify(kept, "correct horse")
    assert hash_password("correct horse") != kept


def test_a_decoy_costs_the_same() -> None:
    cost = HashCost(19456, 2, 1)
    assert HashCost.of(cost.decoy()) == cost
    assert cost.decoy() != cost.decoy()


def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    assert password_bytes("caf\N{LATIN SMALL LETTER E WITH ACUTE}") == password_bytes("cafe\N{COMBINING ACUTE ACCENT}")


def test_lone_surrogates_do_no_harm() -> None:
    assert password_bytes("\ud800")


def test_hashes_of_other_makes_are_taken() -> None:
    check_password_hash(GOOD)
    check_password_hash(GOOD.replace("p=1", "p=4").replace("t=2", "t=3"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no argon2id hash"),
        ("hush", "is no argon2id hash"),
        (GOOD + "\n", "is no argon2id hash"),
        (GOOD.replace("argon2id", "argon2i"), "is no argon2id hash"),
        (GOOD.replace("v=19", "v=16"), "is no argon2id hash"),
        (GOOD.replace("m=32768", "m=262145"), "costs more than 256 MiB"),
        (GOOD.replace("t=2", "t=33"), "costs more than"),
        (GOOD.replace("p=1", "p=9"), "costs more than"),
        (GOOD.replace("m=32768", "m=7"), "weaker than RFC 9106 allows"),
        (GOOD[:-30], "is cut off"),
        (GOOD + "AA", "is cut off"),
    ],
)
def test_what_no_password_can_be_checked_against_is_refused(text: str, words: str) -> None:
    with pytest.raises(UnusableHash, match=re.escape(words)):
        check_password_hash(text)


@given(st.text(max_size=200) | st.text("$argon2id=v19m,tp0123456789", max_size=80))
def test_no_text_makes_it_stumble(text: str) -> None:
    with pytest.raises(UnusableHash):
        check_password_hash(text)
