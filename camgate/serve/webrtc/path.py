"""The ways to a viewer, and how much may be sent on one before it is proven that the viewer is there.

A check's source address can be forged, so until an address has answered a check of ours we send it no more bytes than
came from it (as QUIC does, RFC 9000 section 8.1, there three times as many). Our answer and our check together are 1.5
times a browser's check; the rest comes from the viewer's offer, which its host sent us by TCP, or the answer waits.
See docs/design/abuse.md. Pure: `Peer` owns the paths and decides what they are used for.
"""

import secrets

from camgate.base.network import unmapped
from camgate.serve.datagrams import Route
from camgate.wire.ice import stun

MAX_EARLY_DATAGRAMS = 4
"""DTLS that came before the proof and is kept: a ClientHello has one or two, with post-quantum keys too."""


class OfferCredit:
    """What a viewer's host has sent us with the offer, in bytes; any address of that host may be sent so much, once.

    host: where the offer came from; empty where that is not known.
    """

    __slots__ = ("_host", "_left_bytes")

    def __init__(self, host: str = "", size_bytes: int = 0) -> None:
        self._host = unmapped(host)
        self._left_bytes = size_bytes if host else 0

    def left_bytes(self, host: str) -> int:
        """Return what may still be sent to `host`."""
        return self._left_bytes if host == self._host else 0

    def spend(self, size_bytes: int) -> None:
        """Take what `left_bytes` has said was there."""
        self._left_bytes -= size_bytes


class Path:
    """One way between an address of the viewer's and one of ours, found by a check of the viewer's.

    check_id: transaction id of our own checks to it: one for all of them, so that an answer counts however long it
    takes and however often the viewer checks meanwhile.
    is_proven: whether whoever is there takes part: it answered a check of ours, or finished TCP's handshake.
    is_answered: whether it answered a check of ours.
    early: DTLS that waits for the proof.
    """

    __slots__ = (
        "_credit_bytes",
        "_held_answer",
        "_is_checked",
        "_offer",
        "check_id",
        "early",
        "is_answered",
        "is_proven",
        "route",
    )

    def __init__(self, route: Route, offer: OfferCredit) -> None:
        self.route = route
        self.check_id = secrets.token_bytes(stun.TRANSACTION_ID_BYTES)
        self.is_proven = route.socket.is_tcp
        self.is_answered = False
        self.early: list[bytes] = []
        self._offer = offer
        self._credit_bytes = 0
        self._is_checked = False
        self._held_answer: bytes | None = None

    def count_received(self, size_bytes: int) -> None:
        """Take note of a datagram from there."""
        self._credit_bytes += size_bytes

    def send(self, datagram: bytes) -> bool:
        """Send a datagram, unless it is more than may be sent there."""
        if not self.is_proven:
            if len(datagram) > self._left_bytes():
                return False
            self._credit_bytes -= len(datagram)
            if self._credit_bytes < 0:
                self._offer.spend(-self._credit_bytes)
                self._credit_bytes = 0
        return self.route.send(datagram)

    def send_answer(self, answer: bytes) -> None:
        """Answer a check: now, or with the proof."""
        self._held_answer = None if self.send(answer) else answer

    def send_answer_and_check(self, answer: bytes, check: bytes) -> None:
        """Answer a check, and check back: what may not be sent now comes with the proof, or with the next check."""
        is_rich = self.is_proven or len(answer) + len(check) <= self._left_bytes()
        if is_rich or self._is_checked:
            self.send_answer(answer)
            self.send(check)
        else:
            # The check has the size of the viewer's own at the most, and what answers it pays for all the rest: one
            # round trip later, where the viewer's next check would be 50 ms away (a browser's) or 200 (pion's).
            self._is_checked = self.send(check)
            self.send_answer(answer)

    def prove(self) -> None:
        """Take note that a check of ours was answered from there, and send the answer that waited for it."""
        self.is_proven = self.is_answered = True
        if self._held_answer is not None:
            self.send_answer(self._held_answer)

    def keep_early(self, datagram: bytes) -> None:
        """Keep DTLS until the proof; what does not find room comes again."""
        if len(self.early) < MAX_EARLY_DATAGRAMS:
            self.early.append(datagram)

    def _left_bytes(self) -> int:
        return self._credit_bytes + self._offer.left_bytes(self.route.address[0])
