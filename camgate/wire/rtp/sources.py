"""Which of several SSRCs on one channel is the track's.

live555 before June 2017, which Reolink, Foscam and Anjvision still ship, goes on sending an old session's packets into
a new connection that got the same file descriptor, for up to a minute (retina#17). Other cameras change their SSRC at
any time, because their encoder began anew.
"""

SILENT_S = 1.0
"""An SSRC without packets for so long has ended: the other may take its place again."""

MAX_LEFT = 16
"""How many are remembered; more only come from somebody who makes them up."""


class SourceChoice:
    """Takes a new SSRC at once, since a key frame may come with it. If the old one goes on nevertheless, two streams
    are mixed, and the newer one stays."""

    def __init__(self) -> None:
        self._left: dict[int, None] = {}

    def is_taken(self, ssrc: int, *, instead_of: int, silent_s: float) -> bool:
        """Say whether a packet of `ssrc` is the track's, whose last packet had another one `silent_s` ago."""
        if ssrc in self._left:
            if silent_s < SILENT_S:
                return False
            del self._left[ssrc]
        self._left[instead_of] = None
        if len(self._left) > MAX_LEFT:
            del self._left[next(iter(self._left))]
        return True
