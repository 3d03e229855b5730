"""Whether something grows: the slope of a figure over time, with how sure one can be of it. Pure computing.

A server's memory goes up and down with its viewers, so of each block of time the lowest figure counts: what is left
when least is going on. Neighbouring blocks are like each other, which least squares do not know: the interval is
widened by as much as the blocks' deviations depend on the ones before them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from statistics import NormalDist, fmean

BLOCKS = 30
LEAST_BLOCKS = 8
MOST_PERCENT_AN_HOUR = 2.0
"""By which a figure may grow in a run that passes."""
LEAST_SPAN_S = 600.0
"""Slopes of a shorter time say nothing ..."""
HEAP_SPAN_S = 2700.0
"""... and of memory those of less than this: heaps, and what is kept up to a bound, take most of an hour to fill."""
SURE_PERCENT, SOON_SURE_PERCENT = 3.0, 30.0
"""By which memory must grow in a shorter run itself to prove a leak: after LEAST_SPAN_S, and before."""
CONFIDENCE = 0.95


class Verdict(Enum):
    """What can be said."""

    STEADY = "steady"
    GROWS = "grows"
    UNSURE = "too short to tell"


@dataclass(frozen=True, slots=True)
class Growth:
    """The slope of a figure in percent of its mean an hour, and the interval that holds it with CONFIDENCE."""

    mean: float
    slope: float
    low: float
    high: float
    span_s: float

    def verdict(self, *, is_memory: bool = True) -> Verdict:
        """Judge by both ends of the interval."""
        is_long = self.span_s >= (HEAP_SPAN_S if is_memory else LEAST_SPAN_S)
        sure_percent = SURE_PERCENT if self.span_s >= LEAST_SPAN_S else SOON_SURE_PERCENT
        is_sure = is_memory and self.low * self.span_s / 3600 > sure_percent
        if self.low > MOST_PERCENT_AN_HOUR and (is_long or is_sure):
            return Verdict.GROWS
        if self.high < MOST_PERCENT_AN_HOUR and is_long:
            return Verdict.STEADY
        return Verdict.UNSURE


def growth_of(times_s: Sequence[float], values: Sequence[float]) -> Growth | None:
    """Fit a line through the lowest figure of each block; None for too few figures, or none but noughts."""
    blocks = _lowest_of_blocks(times_s, values)
    if len(blocks) < LEAST_BLOCKS:
        return None
    count, middle_s = len(blocks), fmean(time_s for time_s, _ in blocks)
    mean = fmean(value for _, value in blocks)
    if not mean:
        return None
    spread = sum((time_s - middle_s) ** 2 for time_s, _ in blocks)
    slope = sum((time_s - middle_s) * (value - mean) for time_s, value in blocks) / spread
    rests = [value - mean - slope * (time_s - middle_s) for time_s, value in blocks]
    error = math.sqrt(sum(rest**2 for rest in rests) / (count - 2) / spread) * _inflation(rests)
    margin = quantile_of_t((1 + CONFIDENCE) / 2, count - 2) * error
    percent_an_hour = 100 * 3600 / mean
    low, high = slope - margin, slope + margin
    span_s = times_s[-1] - times_s[0]
    return Growth(mean, slope * percent_an_hour, low * percent_an_hour, high * percent_an_hour, span_s)


def _lowest_of_blocks(times_s: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Return the lowest figure of each of BLOCKS equal times, at the middle of that time."""
    if len(times_s) < 2:
        return []
    first_s, length_s = times_s[0], (times_s[-1] - times_s[0]) / BLOCKS
    lowest: dict[int, float] = {}
    for time_s, value in zip(times_s, values, strict=True):
        block = min(BLOCKS - 1, int((time_s - first_s) / length_s))
        lowest[block] = min(value, lowest.get(block, math.inf))
    return [(first_s + (block + 0.5) * length_s, value) for block, value in sorted(lowest.items())]


def _inflation(rests: Sequence[float]) -> float:
    """By how much neighbours that are alike widen the interval (Bartlett 1935: so many fewer are independent)."""
    total = sum(rest**2 for rest in rests)
    if not total:
        return 1.0
    likeness = sum(before * after for before, after in pairwise(rests)) / total
    likeness = min(0.95, max(0.0, likeness))
    return math.sqrt((1 + likeness) / (1 - likeness))


def quantile_of_t(probability: float, freedom: int) -> float:
    """Return a quantile of Student's distribution (Abramowitz and Stegun 26.7.5); within 1 % from 5 degrees on."""
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
