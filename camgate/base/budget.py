"""A token bucket: how much somebody may do at once, and in the long run."""

import math


class Budget:
    """Allows `burst` actions (bytes, or what its user counts) at once and `per_s` a second in the long run.

    refused: how often there was not enough left.
    """

    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens", "refused")

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._tokens = float(burst)
        self._at_s = float("-inf")
        self.refused = 0

    def take(self, now: float, cost: int = 1) -> bool:
        """Take `cost` from the budget; False when less is left. now: monotonic time in seconds."""
        if not self.has(now, cost):
            self.refused += 1
            return False
        self._tokens -= cost
        return True

    def has(self, now: float, cost: int = 1) -> bool:
        """Say whether `cost` is left, without taking it."""
        self._tokens = min(self._burst, self._tokens + (now - self._at_s) * self._per_s)
        self._at_s = now
        return self._tokens >= cost

    def spend(self, now: float, cost: float = 1) -> float:
        """Take `cost` whether it is left or not; returns how long to wait until nothing is owed."""
        self.has(now)
        self._tokens -= cost
        return max(0.0, -self._tokens / self._per_s)

    def wait_s(self, cost: float = 1) -> float:
        """How long until `cost` is left, as of the last look; 0 where it is. Infinite where it will never be."""
        missing = cost - self._tokens
        if missing <= 0:
            return 0.0
        return missing / self._per_s if self._per_s > 0 else math.inf
