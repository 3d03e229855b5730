"""What one viewer may cause: a token bucket, so that a viewer who asks for more costs only its own."""


class Budget:
    """Allows `burst` actions at once and `per_s` of them a second in the long run."""

    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens")

    def __init__(self, burst: int, per_s: int) -> None:
        self._burst = burst
        self._per_s = per_s
        self._tokens = float(burst)
        self._at_s = float("-inf")

    def take(self, now: float) -> bool:
        """Take one action from the budget; False when it is spent. now: monotonic time in seconds."""
        self._tokens = min(self._burst, self._tokens + (now - self._at_s) * self._per_s)
        self._at_s = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
