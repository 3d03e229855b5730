"""A list on the screen: sorted and filtered as keys have said, one row selected, and the rows that fit. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from camgate.tui import keys

Item = TypeVar("Item")

MAX_FILTER_CHARS = 64
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Order(Generic[Item]):
    """What rows are sorted by; equal ones are in the order of their names."""

    name: str
    key: Callable[[Item], tuple[object, ...]] | None
    """None to sort by names alone."""


def by_name(name: str) -> tuple[object, ...]:
    """Return what sorts as people count: camera-2 comes before camera-10."""
    parts = _NUMBERS.split(name.casefold())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


class Listing(Generic[Item]):
    """Items by their keys, which nobody sees, and which of them are to be seen.

    name_of: what is sorted by where all else is equal; words_of: what a filter looks at; is_troubled: who is left
    when only trouble is wanted.
    """

    def __init__(
        self,
        orders: Sequence[Order[Item]],
        *,
        name_of: Callable[[Item], str],
        words_of: Callable[[Item], str],
        is_troubled: Callable[[Item], bool],
    ) -> None:
        self.items: dict[str, Item] = {}
        self.orders = orders
        self.order = orders[0]
        self.is_reversed = False
        self.filter = ""
        self.is_typing = False
        self.only_trouble = False
        self.top = 0
        """How many rows are above those that were last asked for."""
        self.shown: tuple[str, ...] = ()
        """The keys of those."""
        self._name_of = name_of
        self._words_of = words_of
        self._is_troubled = is_troubled
        self._selected = ""
        self._place = 0  # of the selected one, for when it goes
        self._page = 1

    @property
    def selected(self) -> Item | None:
        """The one that the details are of."""
        return self.items.get(self._selected)

    def rows(self, height: int) -> list[tuple[Item, bool]]:
        """Return those that fit, around the selected one, and whether each is that."""
        ordered = self.ordered()
        self._page = max(height - 1, 1)
        place = self._find(ordered)
        self.top = max(min(self.top, place, len(ordered) - height), place - height + 1, 0)
        self.shown = tuple(ordered[self.top : self.top + max(height, 0)])
        return [(self.items[key], key == self._selected) for key in self.shown]

    def ordered(self) -> list[str]:
        """Return the keys of those that the filter lets through, in order."""
        wanted = self.filter.casefold().split()
        found = [(key, item) for key, item in self.items.items() if self._is_wanted(item, wanted)]
        key_of = self.order.key
        found.sort(key=lambda each: by_name(self._name_of(each[1])), reverse=self.is_reversed and key_of is None)
        if key_of is not None:
            # Sorted twice, so that those that are equal are in the order of names, whichever way round.
            found.sort(key=lambda each: key_of(each[1]), reverse=self.is_reversed)
        return [key for key, _ in found]

    def press(self, key: str) -> bool:
        """Do what a key says; False where it says nothing about a list."""
        if self.is_typing:
            self._type(key)
            return True
        steps = {
            keys.UP: -1,
            "k": -1,
            keys.DOWN: 1,
            "j": 1,
            keys.PAGE_UP: -self._page,
            keys.PAGE_DOWN: self._page,
            " ": self._page,
            keys.HOME: -len(self.items),
            "g": -len(self.items),
            keys.END: len(self.items),
            "G": len(self.items),
        }.get(key)
        if steps is not None:
            self._move(steps)
            return True
        return self._change(key)

    def _change(self, key: str) -> bool:
        place = self.orders.index(self.order)
        match key:
            case "/":
                self.is_typing = True
            case "s":
                self.order, self.is_reversed = self.orders[(place + 1) % len(self.orders)], False
            case "S":
                self.order, self.is_reversed = self.orders[place - 1], False
            case "r":
                self.is_reversed = not self.is_reversed
            case "d":
                self.only_trouble = not self.only_trouble
            case keys.ESCAPE:
                self.filter, self.only_trouble = "", False
            case _:
                return False
        return True

    def _is_wanted(self, item: Item, words: Sequence[str]) -> bool:
        if self.only_trouble and not self._is_troubled(item):
            return False
        if not words:
            return True
        seen = self._words_of(item).casefold()
        return all(word in seen for word in words)

    def _type(self, key: str) -> None:
        match key:
            case keys.ENTER:
                self.is_typing = False
            case keys.ESCAPE:
                self.is_typing, self.filter = False, ""
            case keys.BACKSPACE:
                self.filter = self.filter[:-1]
            case keys.CLEAR:
                self.filter = ""
            case keys.UP:
                self._move(-1)
            case keys.DOWN:
                self._move(1)
            case _ if len(key) == 1 and len(self.filter) < MAX_FILTER_CHARS:
                self.filter += key

    def _move(self, steps: int) -> None:
        ordered = self.ordered()
        if ordered:
            place = max(0, min(self._find(ordered) + steps, len(ordered) - 1))
            self._selected, self._place = ordered[place], place

    def _find(self, ordered: Sequence[str]) -> int:
        """Return where the selected one is; where it is not to be seen, another is selected there."""
        place = next((place for place, key in enumerate(ordered) if key == self._selected), None)
        if place is None:
            place = max(0, min(self._place, len(ordered) - 1))
            self._selected = ordered[place] if ordered else ""
        self._place = place
        return place
