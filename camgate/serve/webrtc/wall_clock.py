"""The wall clock of sender reports: one for all tracks and viewers, that nobody sets while camgate runs.

Browsers play the tracks of a camera by what their reports say. Were this machine's clock set between two of them, sound
and picture would be apart by as much.
"""

import time

_EPOCH_S = time.time() - time.monotonic()


def unix_now_s() -> float:
    """Return the Unix time as it was at the start, and how much has passed since."""
    return _EPOCH_S + time.monotonic()
