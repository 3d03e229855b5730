from dataclasses import dataclass

from camgate.base.shallow import shallow


@dataclass(frozen=True, slots=True)
class Inner:
    value: int


@dataclass(frozen=True, slots=True)
class Outer(Inner):
    inner: Inner


def test_fields_keep_their_values_and_their_order() -> None:
    inner = Inner(1)
    found = shallow(Outer(2, inner))
    assert list(found) == ["value", "inner"]
    assert found["inner"] is inner
