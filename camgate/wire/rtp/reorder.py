"""`ReorderBuffer`: RTP packets of one UDP port in any order in, in the order of their sequence numbers out.

A packet ahead of a gap waits for what is missing, at most `WINDOW_S` and beside no more than `WINDOW_PACKETS` others;
then the gap is given up. What comes behind that is late and dropped, unless so much of it comes in turn that the camera
must have begun a new sequence. Sans-IO: the time comes in as an argument.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

from camgate.wire.rtp.packet import HEADER_BYTES
from camgate.wire.rtp.sequence import sequence_delta

WINDOW_PACKETS = 64
"""As in gortsplib: a key frame's packets that took two roads, not a network that lost its mind."""

WINDOW_S = 0.2
"""Less than the 250 ms of delay that viewers' queues are bounded by; a reordering that takes longer is a loss."""

MAX_LATE_PACKETS = 64
"""So many late packets in turn are a new sequence (gortsplib)."""

MAX_DROPOUT_PACKETS = 3000
"""RFC 3550, A.1: a jump further ahead is a new sequence, and no loss."""

MAX_UNDESCRIBED_PACKETS = 16
"""So many packets of another payload type than the described one, and none of that, are the track's own: as the
depacketiser has it (`wire.codec.video`), so that both come to it at the same packet."""

_HEADER = Struct("!BBHII")
_VERSION_MASK, _VERSION_2 = 0xC0, 0x80


@dataclass(slots=True)
class ReorderStatistics:
    """Counters since the beginning.

    packets: what was given on. reordered: those among them that had been overtaken. lost: gaps that were given up.
    late: duplicates, and packets that came when they had been given up. malformed: no RTP. ignored: of another payload
    type, given on as they come. strays: of another source or sequence that did not go on. restarts: how often the
    source or its sequence changed.
    """

    packets: int = 0
    reordered: int = 0
    lost: int = 0
    late: int = 0
    malformed: int = 0
    ignored: int = 0
    strays: int = 0
    restarts: int = 0


class ReorderBuffer:
    """Puts the packets of one source in order.

    The first packet says which source (SSRC) that is. Another source, or a jump in the sequence, is believed with its
    second packet in sequence (RFC 3550, A.1) when the first source has sent nothing in between.
    """

    def __init__(
        self, payload_type: int | None = None, *, window_packets: int = WINDOW_PACKETS, window_s: float = WINDOW_S
    ) -> None:
        """payload_type: the only one to put in order, as Geovision numbers others like those that follow; None for all.

        Others are given on as they come. If there are only others, what comes is the track's type.
        """
        self.counts = ReorderStatistics()
        self._payload_type = payload_type
        self._window_packets = window_packets
        self._window_s = window_s
        self._ssrc: int | None = None
        self._next_sequence = 0
        # By sequence number, in the order of arrival, so that the first one has waited longest.
        self._held: dict[int, tuple[bytes, float]] = {}
        self._late: list[bytes] = []
        # With where the sequence stood when it came.
        self._candidate: tuple[bytes, int] | None = None

    @property
    def is_holding(self) -> bool:
        """Whether packets wait, and `next_deadline` is set."""
        return bool(self._held)

    def next_deadline(self) -> float | None:
        """When `handle_deadline` has something to give; None where nothing waits."""
        return next(iter(self._held.values()))[1] + self._window_s if self._held else None

    def receive_untrusted(self, packets: Iterable[bytes], now: float) -> list[bytes]:
        """Take what arrived at `now`, and return what is in order. Never raises: what is no RTP is counted."""
        out: list[bytes] = []
        unpack = _HEADER.unpack_from
        for packet in packets:
            if len(packet) < HEADER_BYTES or packet[0] & _VERSION_MASK != _VERSION_2:
                self.counts.malformed += 1
                continue
            _, second, sequence, _, ssrc = unpack(packet)
            if second & 0x7F != self._payload_type and not self._accept_payload_type(second & 0x7F):
                # Who reads them ignores them as well, or learns from them what the track's type is.
                out.append(packet)
                continue
            # The hot path: the next packet, and none waits.
            if sequence == self._next_sequence and ssrc == self._ssrc and not self._held:
                self._next_sequence = sequence + 1 & 0xFFFF
                out.append(packet)
            else:
                self._receive_out_of_order(packet, sequence, ssrc, now, out)
        if out:
            self._late.clear()
            self.counts.packets += len(out)
        return out

    def handle_deadline(self, now: float) -> list[bytes]:
        """Give up the gaps whose time is over, and return what waited behind them."""
        out: list[bytes] = []
        self._give_up_overdue(now, out)
        self.counts.packets += len(out)
        return out

    def _receive_out_of_order(self, packet: bytes, sequence: int, ssrc: int, now: float, out: list[bytes]) -> None:
        ahead = sequence_delta(sequence, self._next_sequence)
        if self._ssrc is None:
            self._begin(sequence, ssrc, out)
            out.append(packet)
            self._next_sequence = sequence + 1 & 0xFFFF
        elif ssrc != self._ssrc or ahead > MAX_DROPOUT_PACKETS:
            self._receive_stray(packet, sequence, ssrc, out)
        elif ahead < 0:
            self._receive_late(packet, sequence, out)
        elif sequence in self._held:
            self.counts.late += 1
        else:
            self._hold(packet, sequence, ahead, now, out)

    def _accept_payload_type(self, payload_type: int) -> bool:
        """Say whether packets of a type that was not described are to be put in order: where no others come."""
        if self._payload_type is None:
            return True
        self.counts.ignored += 1
        if self._ssrc is not None or self.counts.ignored <= MAX_UNDESCRIBED_PACKETS:
            return False
        self._payload_type = payload_type
        return True

    def _hold(self, packet: bytes, sequence: int, ahead: int, now: float, out: list[bytes]) -> None:
        if any(sequence_delta(other, sequence) > 0 for other in self._held):
            self.counts.reordered += 1
        if ahead:
            self._held[sequence] = (packet, now)
            if len(self._held) > self._window_packets:
                self._give_up_gap(out)
        else:
            out.append(packet)
            self._next_sequence = sequence + 1 & 0xFFFF
            self._release_run(out)
        self._give_up_overdue(now, out)

    def _receive_late(self, packet: bytes, sequence: int, out: list[bytes]) -> None:
        self.counts.late += 1
        if out:
            self._late.clear()
        self._late.append(packet)
        if len(self._late) > MAX_LATE_PACKETS:
            # All of them go on: who counts late packets behind us has to come to the same conclusion.
            self._begin(sequence, self._ssrc, out)
            out += self._late
            self._late.clear()
            self._next_sequence = sequence + 1 & 0xFFFF

    def _receive_stray(self, packet: bytes, sequence: int, ssrc: int, out: list[bytes]) -> None:
        candidate, self._candidate = self._candidate, (packet, self._next_sequence)
        if candidate is not None:
            before, progress = candidate
            _, _, sequence_before, _, ssrc_before = _HEADER.unpack_from(before)
            # As long as the source that we have goes on, another one is the rest of an old session, or forged.
            is_alone = progress == self._next_sequence
            if is_alone and ssrc_before == ssrc and sequence == sequence_before + 1 & 0xFFFF:
                self._begin(sequence, ssrc, out)
                out += (before, packet)
                self._next_sequence = sequence + 1 & 0xFFFF
                return
            self.counts.strays += 1

    def _begin(self, sequence: int, ssrc: int | None, out: list[bytes]) -> None:
        """Begin a new sequence behind all that waits."""
        while self._held:
            self._give_up_gap(out)
        self.counts.restarts += self._ssrc is not None
        self._ssrc = ssrc
        self._candidate = None

    def _give_up_overdue(self, now: float, out: list[bytes]) -> None:
        while (deadline := self.next_deadline()) is not None and now >= deadline:
            self._give_up_gap(out)

    def _give_up_gap(self, out: list[bytes]) -> None:
        """Go on with the packet that is next among those that wait."""
        following = min(self._held, key=lambda sequence: sequence - self._next_sequence & 0xFFFF)
        self.counts.lost += following - self._next_sequence & 0xFFFF
        self._next_sequence = following
        self._release_run(out)

    def _release_run(self, out: list[bytes]) -> None:
        held = self._held
        while (waiting := held.pop(self._next_sequence, None)) is not None:
            out.append(waiting[0])
            self._next_sequence = self._next_sequence + 1 & 0xFFFF
