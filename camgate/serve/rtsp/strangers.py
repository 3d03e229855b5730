"""How fast strangers may guess passwords. Runs no task; the time is an argument."""

from collections import OrderedDict

GUESS_PAUSE_S = 1.0
"""Nobody who mistyped a password minds; a guesser gets 86,400 tries a day, however many connections he has."""

MAX_OWED_S = 30.0
"""What an address may owe for wrong logins: no client waits for longer. Whoever comes from an address that owes all of
it learns nothing, not even that a password is right."""

MAX_GUESSERS = 4096
"""Addresses remembered; beyond it the one that guessed the longest ago is forgotten."""


class GuessingBrake:
    """When each address may be answered, whose wrong logins are each owed a pause."""

    def __init__(self) -> None:
        self._free_at_s: OrderedDict[str, float] = OrderedDict()

    def pause_s(self, network: str, now: float) -> float:
        """Note a wrong login, and return for how long its answer has to wait."""
        free_at_s = min(max(self._free_at_s.pop(network, now), now) + GUESS_PAUSE_S, now + MAX_OWED_S)
        self._free_at_s[network] = free_at_s
        if len(self._free_at_s) > MAX_GUESSERS:
            self._free_at_s.popitem(last=False)
        return free_at_s - now

    def wait_s(self, network: str, now: float) -> float:
        """How long answers to an address have to wait, right logins' too: or who hears nothing at once guesses on."""
        return max(0.0, self._free_at_s.get(network, now) - now)

    def is_over(self, network: str, now: float) -> bool:
        """Whether an address owes as much as it may, so that nobody there is answered any more."""
        return self.wait_s(network, now) > MAX_OWED_S - GUESS_PAUSE_S
