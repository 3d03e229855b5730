"""Why a viewer whose offer was answered never got its media: a few reasons to count by, and words for the log."""

from collections import Counter
from enum import Enum

GIVEN_UP_S = 5.0
"""Who leaves sooner has changed their mind, as when a page is closed; pages give up after 10 s."""


class Failure(Enum):
    """How far a viewer came that never connected."""

    NO_CHECK = "no-check"
    """No valid STUN check of it arrived."""
    NO_HANDSHAKE = "no-handshake"
    """Checks came, and nothing of DTLS."""
    NO_ANSWER = "no-answer"
    """DTLS began, but no check of ours was answered: nothing proves that the viewer is where it says."""
    HANDSHAKE_STALLED = "handshake-stalled"
    """DTLS began and did not end."""
    HANDSHAKE_REFUSED = "handshake-refused"
    """DTLS ended without keys: another certificate than the offer names, no common SRTP profile, a protocol error."""


def in_words(failure: Failure, port: str, waited_s: float) -> str:
    """Say what was seen of a viewer, and what that means to whoever runs the server.

    port: as "UDP port 8108".
    """
    match failure:
        case Failure.NO_CHECK:
            seen = f"no STUN check arrived in {waited_s:.0f} s: {port} not reachable from that browser"
        case Failure.NO_HANDSHAKE:
            seen = f"checks arrived, but no DTLS in {waited_s:.0f} s: our answers do not reach that browser"
        case Failure.NO_ANSWER:
            seen = (
                f"DTLS began, but none of our checks was answered in {waited_s:.0f} s: its player is no full ICE agent"
            )
        case Failure.HANDSHAKE_STALLED:
            seen = f"DTLS began and did not end in {waited_s:.0f} s: larger packets are lost on the way (MTU, VPN)"
        case Failure.HANDSHAKE_REFUSED:
            seen = "DTLS was refused: its certificate is not that of the offer, or there is no common SRTP profile"
    return f"{seen}; see docs/connectivity.md"


class Failures:
    """Counts them since the start."""

    def __init__(self) -> None:
        self._counts = Counter[Failure]()

    def count(self, failure: Failure) -> None:
        """Take note of one more."""
        self._counts[failure] += 1

    def by_reason(self) -> dict[str, int]:
        """Return how many there were, by every reason that there can be."""
        return {failure.value: self._counts[failure] for failure in Failure}
