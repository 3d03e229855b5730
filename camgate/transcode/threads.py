"""How many threads one worker may use."""

import os

MAX_THREADS = 4


def encoder_threads() -> int:
    """Return it: half of the processors that we may use, so that one camera does not take them all."""
    return max(1, min(MAX_THREADS, len(os.sched_getaffinity(0)) // 2))
