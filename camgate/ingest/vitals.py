"""`Vitals`: by when a camera's supervisor is to have got further; if it has not by then, it hangs.

A supervisor notes here what it waits for and how long that may take, which its timeouts bound. None of them is this
generous: a supervisor that is late by `SLACK_S` is not slow but stuck in an error of our own.
"""

import math

import trio

SLACK_S = 60.0
"""Beyond what a wait may take. A machine so loaded that tasks are late by a minute serves nobody anyway."""


class Vitals:
    """Of one supervisor. What waits for something that may never come, such as a viewer, is `at_rest`."""

    def __init__(self) -> None:
        self.due_s = math.inf

    def expect_within(self, longest_s: float, *, since_s: float | None = None) -> None:
        """The next step is to come within so many seconds, from now or from `since_s` on."""
        self.due_s = (trio.current_time() if since_s is None else since_s) + longest_s + SLACK_S

    def at_rest(self) -> None:
        """Nothing is to come."""
        self.due_s = math.inf
