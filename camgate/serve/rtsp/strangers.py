"""How fast strangers may guess passwords. Runs no task; the time is an argument."""

from collections import OrderedDict

GUESS_PAUSE_S = 1.0
"""Nobody who mistyped a password minds; a guesser gets 86,400 tries a day, however many connections he has."""

MAX_GUESSERS = 4096
"""Addresses remembered; beyond it the one that guessed the longest ago is forgotten."""


class GuessingBrake:
    """When the next wrong login of each address may be answered."""

    def __init__(self) -> None:
        self._free_at_s: OrderedDict[str, float] = OrderedDict()

    def pause_s(self, network: str, now: float) -> float:
        """Note a wrong login, and return for how long its answer has to wait."""
        free_at_s = max(self._free_at_s.pop(network, now), now) + GUESS_PAUSE_S
        self._free_at_s[network] = free_at_s
        if len(self._free_at_s) > MAX_GUESSERS:
            self._free_at_s.popitem(last=False)
        return free_at_s - now
