"""The list of tokens that were given away."""

from pathlib import Path

import pytest

from camgate.auth.identity import Action, Grant
from camgate.auth.issued import Issued, IssuedToken, IssuedUnusable, grants_by_action
from tests.fakes.accounts import Clock


def token(number: int, ends_s: float, *, user: str | None = None) -> IssuedToken:
    grants = None if user else grants_by_action((Grant(Action.VIEW, ("front*", "group:out")),))
    return IssuedToken(token_id=f"{number:04x}", made_s=1.0, ends_s=ends_s, user=user, grants=grants)


def test_tokens_are_listed_until_their_time_is_over(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "issued.json"
    first, second = token(1, clock.now_s + 10), token(2, clock.now_s + 20, user="anna")
    Issued(file, clock).add(first)
    Issued(file, clock).add(second)
    assert Issued(file, clock).all() == [first, second]
    assert file.stat().st_mode & 0o777 == 0o600
    assert second.facts()["grants"] is None
    assert first.facts()["grants"] == {"view": ("front*", "group:out")}
    clock.now_s += 10
    assert Issued(file, clock).all() == [second]


def test_a_full_list_refuses(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camgate.auth.issued.MAX_ISSUED", 2)
    issued = Issued(tmp_path / "issued.json", clock)
    for number in range(2):
        issued.add(token(number, clock.now_s + 10))
    with pytest.raises(IssuedUnusable, match="already whose time is not over"):
        issued.add(token(3, clock.now_s + 10))
    clock.now_s += 10
    issued.add(token(3, clock.now_s + 10))


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"token_id":1}]', "\x00", "[" * 100_000, '{"a":[]}'])
def test_a_file_that_is_none_is_told(tmp_path: Path, clock: Clock, text: str) -> None:
    file = tmp_path / "issued.json"
    file.write_text(text)
    with pytest.raises(IssuedUnusable, match="no such list"):
        Issued(file, clock).add(token(1, clock.now_s + 10))
    assert file.read_text() == text
