"""Numbers of a viewer: no gap that we made, no nonce twice, and a receiver that follows through every wrap."""

import pylibsrtp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from camgate.serve.webrtc.numbering import START_MARGIN_PACKETS, ViewerNumbers, packet_nonce, salted
from camgate.serve.webrtc.packets import HeaderProfile, PacketizedFrame
from camgate.serve.webrtc.srtp_keys import derive_gcm

SSRC = 0x12345678
MASTER_KEY, MASTER_SALT = bytes(range(16)), bytes(range(100, 112))
PROFILE = HeaderProfile(96)


class Receiver:
    """A viewer's libsrtp: decrypts what it gets, refuses replays and wrong rollover counters."""

    def __init__(self) -> None:
        policy = pylibsrtp.Policy(
            key=MASTER_KEY + MASTER_SALT,
            ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND,
            srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        )
        policy.window_size = 1024
        self._session = pylibsrtp.Session(policy)

    def open(self, packet: bytes) -> bytes:
        opened: bytes = self._session.unprotect(packet)
        return opened


class Line:
    """A sender and its one viewer: sends frames of payloads that name themselves, counts nonces."""

    def __init__(self, start_index: int) -> None:
        self.numbers = ViewerNumbers()
        self.next_index = start_index
        self.receiver = Receiver()
        self.plaintexts: dict[bytes, bytes] = {}
        self.sequences: list[int] = []
        key, salt = derive_gcm(MASTER_KEY, MASTER_SALT)
        self._aead = AESGCM(key)
        self._salted = salted(salt, SSRC)

    def frame(self, packets: int) -> PacketizedFrame:
        payloads = [b"%d" % (self.next_index + i) for i in range(packets)]
        frame = PacketizedFrame(payloads, self.next_index, self.next_index & 0xFFFFFFFF, is_key=False)
        self.next_index = frame.end_index
        return frame

    def send(self, frame: PacketizedFrame, *, lost: bool = False) -> None:
        for position, payload in enumerate(frame.payloads):
            header = frame.header(position, PROFILE, SSRC, self.numbers.offset)
            nonce = packet_nonce(self._salted, frame.first_index + position + self.numbers.base)
            assert self.plaintexts.setdefault(nonce, header + payload) == header + payload
            self.sequences.append(int.from_bytes(header[2:4], "big"))
            if not lost:
                packet = header + self._aead.encrypt(nonce, payload, header)
                assert self.receiver.open(packet) == header + payload


_STEPS = st.lists(
    st.tuples(st.sampled_from(["live", "live", "lost", "skip", "insert"]), st.integers(1, 60)), min_size=1, max_size=120
)


@settings(max_examples=150)
@given(
    start=st.integers(0, 3).flatmap(lambda wrap: st.integers(65_536 * (wrap + 1) - 5_000, 65_536 * (wrap + 1) + 200)),
    burst=st.integers(0, 700),
    steps=_STEPS,
)
def test_a_receiver_follows_whatever_happens(start: int, burst: int, steps: list[tuple[str, int]]) -> None:
    line = Line(start)
    own = PacketizedFrame([b"own %d" % i for i in range(burst)], start - burst, 7, is_key=True)
    first = line.numbers.start(start, burst)
    assert first >= 0
    # Neither the burst nor the first packets straddle a wrap.
    assert first % 65_536 + burst + START_MARGIN_PACKETS <= 65_536
    line.send(own)
    for kind, packets in steps:
        frame = line.frame(packets)
        if kind == "skip":
            line.numbers.skip(frame.first_index, packets)
        elif kind == "insert":
            line.numbers.skip(frame.first_index, packets)
            repeated = PacketizedFrame([b"again"] * packets * 2, frame.end_index - packets * 2, 9, is_key=True)
            line.numbers.insert(frame.end_index, packets * 2)
            line.send(repeated)
        else:
            line.send(frame, lost=kind == "lost")
    assert line.sequences == [(line.sequences[0] + i) & 0xFFFF for i in range(len(line.sequences))]


@given(start=st.integers(100_000, 200_000), steps=_STEPS)
def test_a_retransmission_is_found_as_it_was_sent(start: int, steps: list[tuple[str, int]]) -> None:
    numbers = ViewerNumbers()
    numbers.start(start)
    index = start
    sent: list[tuple[int, int | None]] = []
    for kind, packets in steps[:12]:
        if kind == "skip":
            numbers.skip(index, packets)
        elif kind == "insert":
            numbers.skip(index, packets)
            first = numbers.insert(index + packets, packets)
            sent += [(first + i, None) for i in range(packets)]
        else:
            sent += [(index + i + numbers.offset, index + i) for i in range(packets)]
        index += packets
    newest = sent[-1][0] if sent else start
    for viewer_index, shared in sent[-30_000:]:
        assert numbers.extend(viewer_index & 0xFFFF, newest) == viewer_index
        found = numbers.shared_index(viewer_index)
        # What is too long ago may be forgotten, but never taken for another packet.
        assert found in ((shared, None) if shared is not None else (None,))


def test_what_was_sent_before_the_start_is_nobodys() -> None:
    numbers = ViewerNumbers()
    first = numbers.start(100_000, 50)
    assert numbers.shared_index(first) is None
    assert numbers.shared_index(first + 50) == 100_000


def test_a_viewer_near_a_wrap_is_moved_past_it() -> None:
    numbers = ViewerNumbers()
    first = numbers.start(2 * 65_536 - 10, 30)
    assert first == 2 * 65_536
    assert numbers.offset == 40
    assert numbers.roc0 == 2
