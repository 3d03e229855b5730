"""Which combinations of cases a run of the tests takes: enough for every pair, or the whole product in test-full."""

import itertools
import os
from collections.abc import Iterator, Sequence


def combinations(first: Sequence[str], second: Sequence[str], third: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield combinations in which each value of one sequence meets each of the others.

    first, second: at least as long as `third`, so that it goes round in each row and column of their square.
    """
    if os.environ.get("HYPOTHESIS_PROFILE") == "full":
        yield from itertools.product(first, second, third)
        return
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            yield one, other, third[(row + column) % len(third)]
