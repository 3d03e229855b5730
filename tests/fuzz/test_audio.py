"""Whatever a camera sends as sound, the depacketiser goes on."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.audio import MAX_FRAME_BYTES, AudioDepacketizer, WholePayload
from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.format import AudioFormat
from camgate.wire.rtp.packet import build_rtp_header
from tests.fuzz.reach import Reach

PCMA = AudioFormat(codec="PCMA", clock_hz=8000)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Packets of a camera whose numbers mostly make sense, and some garbage."""
    sequence, packets = draw(st.integers(0, 0xFFFF)), []
    for payload in draw(st.lists(st.binary(max_size=20), max_size=30)):
        sequence += draw(st.sampled_from([1, 1, 1, 0, -1, 5, 4000, 0x8000]))
        header = build_rtp_header(
            draw(st.sampled_from([8, 8, 8, 0])), sequence, 160 * sequence, draw(st.integers(1, 2))
        )
        packets.append(header + payload if draw(st.integers(0, 9)) else payload)
    return packets


def test_audio_fuzz() -> None:
    reach = Reach("audio")

    @given(streams())
    def fuzz(packets: list[bytes]) -> None:
        track = AudioDepacketizer(PCMA, payload_type=8)
        frames = [frame for packet in packets for frame in track.receive_packet_untrusted(packet, 1.0)]
        statistics = track.statistics()
        reach.seen(bool(frames))
        assert len(frames) == statistics.frames <= statistics.packets
        assert all(0 < frame.size_bytes <= 20 for frame in frames)
        counted = statistics.packets + statistics.packets_late + statistics.packets_ignored
        assert counted + statistics.packets_malformed == len(packets)

    fuzz()
    reach.check()


@given(st.binary(min_size=1, max_size=30) | st.just(bytes(MAX_FRAME_BYTES + 1)), st.integers(0, 0xFFFFFFFF))
def test_whole_payload_fuzz(payload: bytes, timestamp: int) -> None:
    try:
        pieces = WholePayload().read_untrusted(payload, timestamp, is_marked=False, follows_gap=False)
    except AudioMalformed:
        assert len(payload) > MAX_FRAME_BYTES
    else:
        assert pieces == ((payload, timestamp),)
