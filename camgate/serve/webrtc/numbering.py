"""Sequence numbers, rollover counters and nonces: the one place where a packet gets its number.

A sender counts its packets with one endless `index`, shared by all viewers; the RTP sequence number is its low 16
bits. A viewer may see other numbers: `offset` is added to the shared index for it, so that a frame that it was not
sent, or a burst that only it got, leaves no gap. Its receiver starts with a rollover counter of 0 whatever the index
was (RFC 3711 section 3.3.1), so the viewer keeps `roc0`, the counter of its first packet, and takes it off.

    viewer index = shared index + offset        sequence number = viewer index mod 2^16
    SRTP index   = viewer index - (roc0 << 16)  = rollover counter << 16 | sequence number

Under one key a nonce must never be used for two plaintexts: SRTP indices only rise, and a retransmission repeats the
same bytes. `offset` therefore changes only together with packets that are, or are not, given a number: see `skip`,
`insert` and `start`.
"""

SEQUENCE_BITS = 16
_SEQUENCE_CYCLE = 1 << SEQUENCE_BITS
START_MARGIN_PACKETS = 4_096
"""A viewer's first packets must be this far from a wrap of the sequence number: a receiver that loses the packets
before the wrap would guess its rollover counter wrong and see black for ever (RFC 3711 section 3.3.1)."""

HISTORY_LIMIT = 16
"""Offsets remembered a viewer, to find retransmissions of packets sent before the last changes."""


def packet_nonce(salted_ssrc: int, srtp_index: int) -> bytes:
    """Return the 12-byte nonce of a packet (RFC 7714 section 8.1).

    salted_ssrc: the session salt xor SSRC << 48 (made once by `salted`); srtp_index: rollover counter << 16 | sequence.
    """
    return (salted_ssrc ^ srtp_index).to_bytes(12, "big")


def salted(salt: bytes, ssrc: int) -> int:
    """Fold the 12-byte session salt and the SSRC into the constant part of every nonce."""
    return int.from_bytes(salt, "big") ^ (ssrc << 48)


class ViewerNumbers:
    """One viewer's view of the shared index.

    offset: added to the shared index. base: what is added to get the SRTP index (offset minus the rollover base).
    """

    __slots__ = ("_history", "base", "offset", "roc0")

    def __init__(self) -> None:
        self.offset = 0
        self.base = 0
        self.roc0 = 0
        self._history: list[tuple[int, int | None]] = []

    def start(self, shared_index: int, burst_packets: int = 0) -> int:
        """Fix the numbers of a viewer whose live packets start at `shared_index`, after `burst_packets` of its own.

        Returns the viewer index of its first packet. The burst's numbers run into the live ones; a viewer that
        would start close to a wrap is moved past it, so that neither a burst nor a lost first packet straddles one.
        """
        assert not self._history, "a second start would use the first one's nonces again"
        first = shared_index - burst_packets
        room = _SEQUENCE_CYCLE - first % _SEQUENCE_CYCLE
        if first < 0 or room < burst_packets + START_MARGIN_PACKETS:
            first += room
        self.roc0 = first >> SEQUENCE_BITS
        self._move(first + burst_packets - shared_index, first + burst_packets)
        return first

    def skip(self, shared_index: int, packets: int) -> None:
        """The viewer is not sent the `packets` from `shared_index` on: what follows takes their numbers."""
        self._move(self.offset - packets, shared_index + self.offset)

    def insert(self, shared_index: int, packets: int) -> int:
        """The viewer gets `packets` of its own before the live packet `shared_index`; returns their first index."""
        first = shared_index + self.offset
        # Their numbers belong to no shared packet: without this mark a late NACK would put another plaintext
        # under a nonce that is used up.
        self._remember(first, None)
        self._move(self.offset + packets, first + packets)
        return first

    def shared_index(self, viewer_index: int) -> int | None:
        """Find the shared index that `viewer_index` was sent under; None for the viewer's own and long past packets."""
        for first, offset in reversed(self._history):
            if viewer_index >= first:
                return None if offset is None else viewer_index - offset
        return None

    def extend(self, sequence: int, near_viewer_index: int) -> int:
        """Turn a 16-bit sequence number into the viewer index nearest to `near_viewer_index`."""
        delta = (sequence - near_viewer_index) & 0xFFFF
        return near_viewer_index + (delta - _SEQUENCE_CYCLE if delta >= _SEQUENCE_CYCLE // 2 else delta)

    def _move(self, offset: int, from_viewer_index: int) -> None:
        self.offset = offset
        self.base = offset - (self.roc0 << SEQUENCE_BITS)
        self._remember(from_viewer_index, offset)

    def _remember(self, from_viewer_index: int, offset: int | None) -> None:
        if self._history and self._history[-1][0] == from_viewer_index:
            self._history.pop()
        self._history.append((from_viewer_index, offset))
        del self._history[:-HISTORY_LIMIT]
