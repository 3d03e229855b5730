"""`Pace`: the order in which cameras are dialled when many are due at once."""

import trio

INTERVAL_S = 0.01
"""Between two cameras: 200 are under way within 2 s, and each gives us about 2 ms of work before its first picture."""


class Pace:
    """Lets one camera through each `interval_s` seconds, first come, first served.

    Nobody holds anything that another one needs: a camera that does not answer has had its turn, and costs the others
    `interval_s`, however long it stays silent.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._next_s = float("-inf")

    async def turn(self) -> None:
        """Wait for one's turn."""
        at_s = max(self._next_s, trio.current_time())
        self._next_s = at_s + self._interval_s
        await trio.sleep_until(at_s)
