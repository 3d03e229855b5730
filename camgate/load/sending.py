"""What sending costs, told by the senders a frame at a time. No task, no clock of its own."""


class SendingMeter:
    """Sums over all senders of this process; whoever measures takes differences.

    busy_s: time spent in sending, in seconds of wall clock, turns of other tasks left out.
    bytes: payload that was to be sent, a frame's bytes times its viewers.
    """

    __slots__ = ("_worst_delay_s", "busy_s", "bytes")

    def __init__(self) -> None:
        self.busy_s = 0.0
        self.bytes = 0
        self._worst_delay_s = 0.0

    def note(self, busy_s: float, size_bytes: int, delay_s: float) -> None:
        """Count a frame that all its viewers were sent. delay_s: from its arrival to its last viewer."""
        self.busy_s += busy_s
        self.bytes += size_bytes
        if delay_s > self._worst_delay_s:
            self._worst_delay_s = delay_s

    def take_worst_delay_s(self) -> float:
        """Return the longest delay since this was last asked."""
        worst, self._worst_delay_s = self._worst_delay_s, 0.0
        return worst
