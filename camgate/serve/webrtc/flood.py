"""Whether the port gets more than it can read: what the log says of it, and how long viewers may then be silent.

Fed once a second with the endpoint's counters; does no I/O.
"""

from camgate.base.log import get_logger

log = get_logger("webrtc.flood")

SILENCE_TIMEOUT_S = 30.0
"""RFC 7675 section 5.1: consent to send expires 30 s after the last valid check."""
DEAF_TIMEOUT_S = 120.0
"""The same while our own queue loses datagrams. A browser sends over 150 checks and reports in that time; of a flood of
ten times what we can read, all of them are lost for one viewer in ten million."""
MANY_STRANGERS_PER_S = 2_000
"""From nobody we know: viewers that left, scanners and restarts make hundreds at the most."""
LOG_INTERVAL_S = 60.0


class FloodWatch:
    """Looks at two counters: datagrams from nobody we know, and datagrams that the kernel had no room for."""

    def __init__(self, now: float) -> None:
        self._looked_s = self._counted_s = now
        self._lost_s = self._said_s = float("-inf")
        self._unknown = self._lost = 0
        self._said_unknown = self._said_lost = 0

    def look(self, now: float, unknown: int, lost: int) -> None:
        """Compare with the last look; says at most once each LOG_INTERVAL_S that there is a flood."""
        rate = (unknown - self._unknown) / max(now - self._looked_s, 1e-3)
        if lost > self._lost:
            self._lost_s = now
        if (lost > self._lost or rate > MANY_STRANGERS_PER_S) and now - self._said_s >= LOG_INTERVAL_S:
            self._say(now, unknown, lost)
        self._looked_s, self._unknown, self._lost = now, unknown, lost

    def _say(self, now: float, unknown: int, lost: int) -> None:
        log.warning(
            "flood at the port for viewers: what is from nobody we know is dropped",
            unknown=unknown - self._said_unknown,
            lost=lost - self._said_lost,
            since_s=round(now - self._counted_s),
        )
        self._said_s = self._counted_s = now
        self._said_unknown, self._said_lost = unknown, lost

    def silence_timeout_s(self, now: float) -> float:
        """Return how long a viewer may be silent: longer while it may well be us who do not hear."""
        return DEAF_TIMEOUT_S if now - self._lost_s <= SILENCE_TIMEOUT_S else SILENCE_TIMEOUT_S
